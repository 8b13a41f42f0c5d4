import * as React from 'react';

import { checkHeading, checkName, parseDuration } from '../../model/quantities';
import * as check from '../../model/quantities';
import type { IStep } from '../../model/types';
import { useTrans } from '../../ui/context';
import type { NotebookController } from '../controller';
import type { ICellEdit } from '../model/cells';
import type { IStepPlace } from '../model/edits';
import * as edits from '../model/edits';
import { ChoiceField, TextField } from './fields';
import { OrderField } from './order';

/** The step's settings as fields; each change goes to the cell's tags or its `%%step` line. */
export function StepForm(props: { controller: NotebookController; step: IStep }): JSX.Element {
  const { controller, step } = props;
  const trans = useTrans();
  const edit = (make: (place: IStepPlace) => ICellEdit[]): void => {
    const place = controller.model.place(step.name);
    if (place) {
      controller.model.edit(make(place));
    }
  };
  return (
    <div className="jk-Fields">
      <NameField controller={controller} step={step} edit={edit} />
      <OrderField
        controller={controller}
        step={step}
        onChange={after => edit(place => edits.setAfter(place, after))}
      />
      <ResourceFields step={step} edit={edit} />
      <ChoiceField
        label={trans.__('Cache')}
        value={step.cache === true ? 'on' : step.cache === false ? 'off' : ''}
        choices={[
          ['', trans.__('As the run says')],
          ['on', trans.__('Use it')],
          ['off', trans.__('Always run')]
        ]}
        onChange={value =>
          edit(place => edits.setCache(place, value === '' ? null : value === 'on'))
        }
      />
      <FailureFields step={step} edit={edit} />
      <ControlFields step={step} edit={edit} />
    </div>
  );
}

interface IPartProps {
  readonly step: IStep;
  readonly edit: (make: (place: IStepPlace) => ICellEdit[]) => void;
}

function NameField(props: IPartProps & { controller: NotebookController }): JSX.Element {
  const { controller, step, edit } = props;
  const trans = useTrans();
  const headings = controller.model.pipeline?.grammar === 'headings';
  const taken = (controller.model.pipeline?.steps ?? [])
    .map(item => item.name)
    .filter(name => name !== step.name);
  return (
    <TextField
      label={headings ? trans.__('Heading') : trans.__('Name')}
      value={headings ? step.title || step.name : step.name}
      check={text => (headings ? checkHeading(text, trans) : checkName(text, taken, trans))}
      onCommit={text => edit(place => edits.setStepName(place, text))}
    />
  );
}

function ResourceFields({ step, edit }: IPartProps): JSX.Element {
  const trans = useTrans();
  const resources = step.resources ?? {};
  const gpu = Object.entries(resources).find(([name]) => name.endsWith('/gpu'))?.[1];
  return (
    <div className="jk-Fields-row" role="group" aria-label={trans.__('Resources')}>
      <TextField
        label={trans.__('CPU')}
        placeholder="1"
        value={resources.cpu ?? ''}
        check={text => check.checkCpu(text, trans)}
        onCommit={text => edit(place => edits.setResource(place, 'cpu', text || null))}
      />
      <TextField
        label={trans.__('Memory')}
        placeholder="4Gi"
        value={resources.memory ?? ''}
        check={text => check.checkMemory(text, trans)}
        onCommit={text => edit(place => edits.setResource(place, 'memory', text || null))}
      />
      <TextField
        label={trans.__('GPUs')}
        placeholder="0"
        value={gpu ?? ''}
        check={text => check.checkGpu(text, trans)}
        onCommit={text =>
          edit(place => edits.setResource(place, 'gpu', Number(text) > 0 ? text : null))
        }
      />
    </div>
  );
}

function FailureFields({ step, edit }: IPartProps): JSX.Element {
  const trans = useTrans();
  return (
    <div className="jk-Fields-row">
      <TextField
        label={trans.__('Retries')}
        placeholder="0"
        value={step.retry ? String(step.retry) : ''}
        check={text => check.checkRetry(text, trans)}
        onCommit={text => edit(place => edits.setRetry(place, Number(text || 0)))}
      />
      <TextField
        label={trans.__('Time limit')}
        placeholder={trans.__('none, or 10m')}
        value={step.timeout ? String(step.timeout) : ''}
        check={text => check.checkTimeout(text, trans)}
        onCommit={text => edit(place => edits.setTimeLimit(place, parseDuration(text)))}
      />
    </div>
  );
}

function ControlFields({ step, edit }: IPartProps): JSX.Element {
  const trans = useTrans();
  const loop = step.foreach ? `${step.foreach.var} in ${step.foreach.expr}` : '';
  return (
    <>
      <TextField
        label={trans.__('Only if')}
        code
        placeholder={trans.__('Python, such as n > 10')}
        value={step.when ?? ''}
        check={() => null}
        onCommit={text => edit(place => edits.setCondition(place, text || null))}
      />
      <TextField
        label={trans.__('Once for each')}
        code
        placeholder={trans.__('lr in rates')}
        value={loop}
        check={text => check.checkForeach(text, trans)}
        onCommit={text => edit(place => edits.setForeach(place, text || null))}
      />
      {step.foreach && (
        <TextField
          label={trans.__('Collect as lists')}
          code
          placeholder={trans.__('names, separated by commas')}
          value={(step.collect ?? []).join(', ')}
          check={text => check.checkNames(text, trans)}
          onCommit={text => {
            const value = text.replace(/\s/g, '') || null;
            edit(place => edits.setSetting(place, 'collect', value));
          }}
        />
      )}
      <TextField
        label={trans.__('Image')}
        code
        placeholder={trans.__('that of the run')}
        value={step.image ?? ''}
        check={text => check.checkImage(text, trans)}
        onCommit={text => edit(place => edits.setSetting(place, 'image', text || null))}
      />
    </>
  );
}

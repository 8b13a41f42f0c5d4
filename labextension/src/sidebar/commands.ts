import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { kubeflowIcon } from '../icons';
import type { IKubeflow } from '../tokens';
import { CommandIDs } from '../tokens';

/** Commands that work for every kind, whoever registered it. */
export function addOpening(app: JupyterFrontEnd, kubeflow: IKubeflow, panel: string): void {
  const { trans, sections } = kubeflow;
  app.commands.addCommand(CommandIDs.open, {
    label: trans.__('Open'),
    isEnabled: args => Boolean(args.name) && Boolean(sections.view(String(args.kind))),
    describedBy: {
      args: {
        type: 'object',
        required: ['kind', 'name'],
        properties: {
          kind: { type: 'string' },
          name: { type: 'string' },
          place: { type: 'object' }
        }
      }
    },
    execute: args =>
      sections.open(
        String(args.kind),
        String(args.name),
        args.place as ReadonlyPartialJSONObject | undefined
      )
  });
  app.commands.addCommand(CommandIDs.create, {
    label: args => sections.get(String(args.section))?.create.label ?? trans.__('New'),
    icon: kubeflowIcon,
    isEnabled: args => Boolean(sections.get(String(args.section))),
    describedBy: {
      args: {
        type: 'object',
        required: ['section'],
        properties: { section: { type: 'string' }, given: { type: 'object' } }
      }
    },
    execute: args => {
      app.shell.activateById(panel);
      sections.askForm({
        section: String(args.section),
        given: args.given as ReadonlyPartialJSONObject | undefined
      });
    }
  });
}

import * as React from 'react';

import { KubeflowError } from '../model/errors';
import { useKubeflow } from '../ui/context';
import { Button, CopyButton } from '../ui/controls';
import { useOwnFocus } from '../ui/focus';

const PRESETS = ['0 * * * *', '0 6 * * *', '0 6 * * 1-5', '0 6 * * 1'] as const;

/** The same questions, in the same order, as the Python call. */
export function ScheduleForm(props: { onDone: () => void }): JSX.Element {
  const kubeflow = useKubeflow();
  const { trans } = kubeflow;
  const frame = useOwnFocus<HTMLFormElement>();
  const [path, setPath] = React.useState(() => kubeflow.currentNotebook() ?? '');
  const [cron, setCron] = React.useState<string>(PRESETS[1]);
  const [timezone, setTimezone] = React.useState(
    () => Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  );
  const [error, setError] = React.useState<KubeflowError | null>(null);
  const code = `import jupyter_ext as kf\n\nkf.pipelines.schedule(${JSON.stringify(path || 'notebook.ipynb')}, ${JSON.stringify(cron)}, timezone=${JSON.stringify(timezone)})`;
  const words: Record<string, string> = {
    [PRESETS[0]]: trans.__('Every hour'),
    [PRESETS[1]]: trans.__('Every day at 6:00'),
    [PRESETS[2]]: trans.__('Weekdays at 6:00'),
    [PRESETS[3]]: trans.__('Mondays at 6:00')
  };
  const submit = async () => {
    setError(null);
    try {
      await kubeflow.request('recurringruns', { method: 'POST', body: { path, cron, timezone } });
      await kubeflow.resources.schedules.refresh();
      props.onDone();
    } catch (failure) {
      setError(KubeflowError.from(failure));
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      void submit();
    } else if (event.key === 'Escape') {
      props.onDone();
    } else {
      return;
    }
    event.stopPropagation();
    event.preventDefault();
  };
  const problem = (field: string) =>
    error?.where.field === field ? <span className="jk-FieldError">{error.message}</span> : null;
  return (
    <form
      className="jk-Form"
      ref={frame}
      aria-label={trans.__('New schedule')}
      onKeyDown={onKeyDown}
      onSubmit={event => event.preventDefault()}
    >
      <label>
        <span>{trans.__('Notebook')}</span>
        <input
          value={path}
          dir="auto"
          placeholder="notebook.ipynb"
          onChange={event => setPath(event.target.value)}
        />
        {problem('path')}
      </label>
      <label>
        <span>{trans.__('When')}</span>
        <select
          value={cron in words ? cron : ''}
          onChange={event => event.target.value && setCron(event.target.value)}
        >
          {Object.entries(words).map(([value, word]) => (
            <option key={value} value={value}>
              {word}
            </option>
          ))}
          <option value="">{trans.__('Other (cron below)')}</option>
        </select>
      </label>
      <label>
        <span>{trans.__('Cron')}</span>
        <input
          value={cron}
          className="jk-mod-code"
          title={trans.__('Minute, hour, day of month, month, day of week')}
          onChange={event => setCron(event.target.value)}
        />
        {problem('cron')}
      </label>
      <label>
        <span>{trans.__('Time zone')}</span>
        <input value={timezone} onChange={event => setTimezone(event.target.value)} />
        {problem('timezone')}
      </label>
      {error && !['path', 'cron', 'timezone'].includes(error.where.field ?? '') && (
        <span className="jk-FieldError">{error.message}</span>
      )}
      <div className="jk-Code">
        <pre tabIndex={0}>{code}</pre>
        <CopyButton text={code} label={trans.__('Copy code')} />
      </div>
      <div className="jk-Form-buttons">
        <Button
          label={trans.__('Create schedule')}
          kind="primary"
          disabled={path ? null : trans.__('Name a notebook first.')}
          title={trans.__('Ctrl-Enter')}
          onClick={submit}
        />
        <Button label={trans.__('Cancel')} onClick={props.onDone} />
      </div>
    </form>
  );
}

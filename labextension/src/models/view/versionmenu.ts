import type { IEntry } from '../../ui/menu';
import type { IKubeflow } from '../../tokens';
import { ModelCommands } from '../commands';
import { CHAMPION, isArchived } from '../model/model';
import type { IVersion } from '../model/types';
import type { Doing } from './view';

/** What can be done to one version, in a menu. */
export function versionEntries(
  kubeflow: IKubeflow,
  item: IVersion,
  onDo: (doing: Doing) => void
): IEntry[] {
  const { trans } = kubeflow;
  const args = { name: item.model, version: item.version };
  const archived = isArchived(item);
  const entry = (label: string, command: string, disabled?: string | null): IEntry => ({
    label,
    disabled: disabled ?? kubeflow.whyNot(command, args),
    call: () => kubeflow.execute(command, args)
  });
  const put = archived ? trans.__('It is archived: restore it first.') : null;
  return [
    entry(trans.__('Serve'), ModelCommands.serve, put),
    entry(
      trans.__('Promote to champion'),
      ModelCommands.promote,
      item.aliases.includes(CHAMPION) ? trans.__('It is the champion already.') : put
    ),
    { label: trans.__('Set alias…'), call: () => onDo('alias') },
    { label: trans.__('Copy to another model…'), call: () => onDo('copy') },
    entry(trans.__('Copy as code'), ModelCommands.copyCode),
    archived
      ? entry(trans.__('Restore'), ModelCommands.restore)
      : entry(trans.__('Archive'), ModelCommands.archive),
    {
      label: trans.__('Delete…'),
      disabled: item.endpoints?.length ? trans.__('An endpoint serves it: stop that first.') : null,
      call: () => onDo('delete')
    }
  ];
}

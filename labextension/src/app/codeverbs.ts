import { Notification } from '@jupyterlab/apputils';

import { codeOf } from '../model/code';
import type { IKubeflow } from '../tokens';
import { saveText } from '../ui/save';
import type { IVerb } from './verbs';

export interface ICodeCommand {
  readonly command: string;
  /** For the palette: *Copy Endpoint as Code*. */
  readonly label: string;
}

/** Take a resource along: as Python on the clipboard, and as a YAML file. `get` is the Python that gets hold of it. */
export function codeVerbs(
  kubeflow: IKubeflow,
  copy: ICodeCommand,
  save: ICodeCommand,
  get: (name: string, kind: string) => string
): IVerb[] {
  const { trans } = kubeflow;
  return [
    {
      ...copy,
      verb: 'code',
      doing: title => trans.__('Writing %1 as code', title),
      whyNot: () => null,
      after: (reply, name, _, kind) => kubeflow.copyCode(codeOf(reply).python ?? get(name, kind))
    },
    {
      ...save,
      verb: 'code',
      doing: title => trans.__('Exporting %1', title),
      whyNot: () => null,
      after: (reply, name) => {
        const { yaml, refused } = codeOf(reply);
        if (yaml) {
          saveText(yaml, `${name}.yaml`, 'application/yaml');
        } else {
          Notification.warning(refused || trans.__('%1 has no YAML.', name), { autoClose: 8000 });
        }
      }
    }
  ];
}

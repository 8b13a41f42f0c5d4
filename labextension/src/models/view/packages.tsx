import * as React from 'react';

import { useKubeflow } from '../../ui/context';
import { Button } from '../../ui/controls';
import { useDetail } from './detail';
import type { IModel, IVersion, IVersionDetail } from '../model/types';

/** Packages of this version, beside those of the champion or of what `champion` is to replace. */
export function Packages(props: {
  model: IModel;
  version: IVersion;
  detail: IVersionDetail | null;
  loading: boolean;
}): JSX.Element {
  const { model, version, detail } = props;
  const { trans } = useKubeflow();
  const [all, setAll] = React.useState(false);
  const { champion, latest } = model.status;
  const other = [champion, latest].find(each => each && each.version !== version.version) ?? null;
  const { value: beside } = useDetail(model, other);
  if (!detail) {
    return props.loading ? <p className="jk-Quiet">{trans.__('Loading…')}</p> : <></>;
  }
  const mine = detail.packages ?? {};
  const theirs = beside?.packages ?? {};
  const names = [...new Set([...Object.keys(mine), ...Object.keys(theirs)])].sort();
  if (!names.length) {
    return <p className="jk-Quiet">{trans.__('No packages were recorded.')}</p>;
  }
  const differ = beside ? names.filter(name => mine[name] !== theirs[name]) : [];
  const shown = differ.length && !all ? differ : names;
  return (
    <div className="jk-Summary">
      {beside && (
        <div className="jk-Packages-bar">
          <span>
            {differ.length
              ? trans._n(
                  '%1 package differs from version %2.',
                  '%1 packages differ from version %2.',
                  differ.length,
                  differ.length,
                  beside.version
                )
              : trans.__('The same packages as version %1.', beside.version)}
          </span>
          {differ.length > 0 && (
            <Button
              label={trans.__('All packages')}
              pressed={all}
              onClick={() => setAll(value => !value)}
            />
          )}
        </div>
      )}
      {shown.length > 0 && (
        <table className="jk-Table jk-Packages">
          <thead>
            <tr>
              <th scope="col">{trans.__('Package')}</th>
              <th scope="col">{trans.__('Version %1', version.version)}</th>
              {beside && <th scope="col">{trans.__('Version %1', beside.version)}</th>}
            </tr>
          </thead>
          <tbody>
            {shown.map(name => (
              <tr key={name} className={differ.includes(name) ? 'jk-mod-differs' : undefined}>
                <th scope="row">{name}</th>
                <td>{mine[name] ?? '–'}</td>
                {beside && <td>{theirs[name] ?? '–'}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

import type { IRunningSessionManagers } from '@jupyterlab/running';
import { Signal } from '@lumino/signaling';

import type { IKindView, ISection } from '../kinds';
import { isActive } from '../model/states';
import type { IKubeflow } from '../tokens';

/** What runs, of every kind, in JupyterLab's own panel of what runs. */
export function addRunning(running: IRunningSessionManagers, kubeflow: IKubeflow): void {
  const done = new Set<string>();
  const add = () =>
    kubeflow.sections.all
      .filter(section => !done.has(section.id))
      .forEach(section => {
        done.add(section.id);
        addSection(running, kubeflow, section);
      });
  kubeflow.sections.changed.connect(add);
  add();
}

function addSection(
  running: IRunningSessionManagers,
  kubeflow: IKubeflow,
  section: ISection
): void {
  const { trans, resources } = kubeflow;
  const changed = new Signal<object, void>(section);
  section.kinds.forEach(({ kind }) => {
    resources.list(kind).changed.connect(() => changed.emit());
  });
  const active = () =>
    section.kinds.flatMap(view =>
      resources
        .list(view.kind)
        .items.filter(item => isActive(item.status.phase) && !view.isPart?.(item))
        .map(item => ({ view, item }))
    );
  const stop = (view: IKindView, name: string) => {
    const action = view.actions.find(({ command }) => command.includes(':stop-'));
    return action && kubeflow.execute(action.command, { name, kind: view.kind });
  };
  running.add({
    name: section.words.items,
    supportsMultipleViews: false,
    running: () =>
      active().map(({ view, item }) => ({
        label: () => view.title(item),
        labelTitle: () => item.metadata.name,
        icon: () => view.icon,
        open: () => void kubeflow.open(view.kind, item.metadata.name),
        shutdown: () => void stop(view, item.metadata.name)
      })),
    shutdownAll: () => active().forEach(({ view, item }) => void stop(view, item.metadata.name)),
    refreshRunning: () => undefined,
    runningChanged: changed,
    shutdownLabel: trans.__('Stop'),
    shutdownAllLabel: trans.__('Stop All'),
    shutdownAllConfirmationText: trans.__('Stop all: %1?', section.words.items)
  });
}

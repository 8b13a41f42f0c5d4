import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type * as React from 'react';

import type { IKindView } from '../kinds';
import type { IKubeflow } from '../tokens';

export interface IEntry {
  label: string;
  call: () => unknown;
  /** Why it cannot be chosen now; null if it can. */
  disabled?: string | null;
}

/** A menu at the place of the click or key; what it holds is fixed when it opens. */
export function openMenu(event: React.MouseEvent, entries: readonly (IEntry | '-')[]): void {
  event.preventDefault();
  event.stopPropagation();
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  menu.addClass('jk-Menu');
  entries.forEach((entry, index) => {
    if (entry === '-') {
      menu.addItem({ type: 'separator' });
      return;
    }
    const command = `entry-${index}`;
    commands.addCommand(command, {
      label: entry.label,
      caption: entry.disabled ?? undefined,
      isEnabled: () => !entry.disabled,
      execute: () => entry.call()
    });
    menu.addItem({ command });
  });
  const before = document.activeElement;
  const box = event.currentTarget.getBoundingClientRect();
  const byPointer = event.clientX || event.clientY;
  menu.open(byPointer ? event.clientX : box.left, byPointer ? event.clientY : box.bottom);
  menu.aboutToClose.connect(() => {
    // Who opened it with a key goes on there, whatever is then done.
    if (menu.node.contains(document.activeElement) && before instanceof HTMLElement) {
      before.focus();
    }
    window.setTimeout(() => menu.dispose(), 0);
  });
}

/** What can be done to these resources of one kind. */
export function actionEntries(
  kubeflow: IKubeflow,
  view: IKindView,
  names: readonly string[],
  compare?: (names: readonly string[]) => void
): IEntry[] {
  const { trans } = kubeflow;
  const several = names.length > 1;
  const args: ReadonlyPartialJSONObject = several
    ? { names: [...names], kind: view.kind }
    : { name: names[0], kind: view.kind };
  const entries: IEntry[] = several
    ? []
    : [{ label: trans.__('Open'), call: () => view.open(names[0]) }];
  if (several && compare) {
    entries.push({ label: trans.__('Compare %1', names.length), call: () => compare(names) });
  }
  for (const action of view.actions) {
    if (!several || action.bulk) {
      entries.push({
        label: action.label,
        disabled: kubeflow.whyNot(action.command, args),
        call: () => kubeflow.execute(action.command, args)
      });
    }
  }
  return entries;
}

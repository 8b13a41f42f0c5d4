import { MenuSvg } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type * as React from 'react';

import { CommandIDs } from '../tokens';

type Execute = (command: string, args: { name: string } | { names: string[] }) => Promise<unknown>;

/** Commands of a menu that is open once: names and arguments are fixed when it opens. */
function entries(
  trans: TranslationBundle,
  names: readonly string[]
): [label: string, command: string, args: ReadonlyPartialJSONObject][] {
  if (names.length > 1) {
    const args = { names: [...names] };
    return [
      [trans.__('Compare %1 runs', names.length), CommandIDs.openCompare, args],
      [trans.__('Copy names'), CommandIDs.copyName, args],
      [trans.__('Copy as code'), CommandIDs.copyCode, args],
      [trans.__('Delete %1 runs…', names.length), CommandIDs.deleteRun, args]
    ];
  }
  const args = { name: names[0] };
  return [
    [trans.__('Open'), CommandIDs.openRun, args],
    [trans.__('Stop'), CommandIDs.stopRun, args],
    [trans.__('Resume'), CommandIDs.resumeRun, args],
    [trans.__('Rerun'), CommandIDs.rerunRun, args],
    [trans.__('Reproduce'), CommandIDs.reproduceRun, args],
    [trans.__('Export notebook as executed'), CommandIDs.exportRun, args],
    [trans.__('Copy name'), CommandIDs.copyName, args],
    [trans.__('Copy as code'), CommandIDs.copyCode, args],
    [trans.__('Delete…'), CommandIDs.deleteRun, args]
  ];
}

let whyNot: (command: string, args: ReadonlyPartialJSONObject) => string | null = () => null;

/** Menus ask here which of their entries can be used; set once by the plugin that owns the commands. */
export function setMenuGuard(guard: typeof whyNot): void {
  whyNot = guard;
}

/** What can be done to these runs, at the place of the click or key. */
export function openRunMenu(
  event: React.MouseEvent,
  execute: Execute,
  trans: TranslationBundle,
  names: readonly string[]
): void {
  event.preventDefault();
  event.stopPropagation();
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  menu.addClass('jk-Menu');
  entries(trans, names).forEach(([label, command, args], index) => {
    const reason = whyNot(command, args);
    commands.addCommand(`entry-${index}`, {
      label,
      caption: reason ?? undefined,
      isEnabled: () => !reason,
      execute: () => execute(command, args as { name: string })
    });
    menu.addItem({ command: `entry-${index}` });
  });
  const box = event.currentTarget.getBoundingClientRect();
  const byPointer = event.clientX || event.clientY;
  menu.open(byPointer ? event.clientX : box.left, byPointer ? event.clientY : box.bottom);
  menu.aboutToClose.connect(() => window.setTimeout(() => menu.dispose(), 0));
}

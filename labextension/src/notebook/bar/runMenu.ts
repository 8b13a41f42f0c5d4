import { MenuSvg } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import type * as React from 'react';

/** An entry of a menu that is open once. */
export interface IEntry {
  readonly label: string;
  /** Why it cannot be used now, or null. */
  readonly disabled?: string | null;
  readonly execute: () => unknown;
}

/** Open a menu under the button that was pressed; focus goes back to the button. */
export function openMenu(event: React.MouseEvent, entries: readonly IEntry[]): void {
  const button = event.currentTarget as HTMLElement;
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  entries.forEach((entry, index) => {
    const command = `entry-${index}`;
    commands.addCommand(command, {
      label: entry.label,
      caption: entry.disabled ?? undefined,
      isEnabled: () => !entry.disabled,
      execute: () => void entry.execute()
    });
    menu.addItem({ command });
  });
  const box = button.getBoundingClientRect();
  menu.aboutToClose.connect(() => {
    button.focus();
    window.setTimeout(() => menu.dispose(), 0);
  });
  menu.open(box.left, box.bottom + 2);
}

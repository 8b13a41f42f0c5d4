import { caretDownEmptyThinIcon, caretUpEmptyThinIcon } from '@jupyterlab/ui-components';

export const foldIcon = caretUpEmptyThinIcon;
export const unfoldIcon = caretDownEmptyThinIcon;

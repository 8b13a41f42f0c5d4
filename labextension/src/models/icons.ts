import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, path: string): LabIcon {
  return new LabIcon({
    name: `jupyter-kubeflow:${name}`,
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`
  });
}

/** A box that is closed: what was registered does not change. */
export const modelIcon = icon(
  'model',
  'M12 2.300 20.500 7v10L12 21.700 3.500 17V7L12 2.300Zm0 2.300L6.900 7.400 12 10.200l5.100-2.800L12 4.600ZM5.500 9v6.800l5.500 3V12L5.500 9Zm7.500 3v6.800l5.500-3V9L13 12Z'
);

export const dataIcon = icon(
  'data',
  'M12 3c4.400 0 8 1.300 8 3v12c0 1.700-3.600 3-8 3s-8-1.300-8-3V6c0-1.700 3.600-3 8-3Zm0 2C8.200 5 6 5.900 6 6.300s2.200 1.400 6 1.400 6-.900 6-1.400S15.800 5 12 5Zm-6 4v3c0 .500 2.200 1.500 6 1.500s6-1 6-1.500V9c-1.500.500-3.600.800-6 .800S7.500 9.500 6 9Zm0 5.600V18c0 .500 2.200 1.300 6 1.300s6-.800 6-1.300v-3.400c-1.500.600-3.600.900-6 .900s-4.500-.300-6-.900Z'
);

export const endIcon = icon(
  'served',
  'M4 4h16v6H4V4Zm2 2v2h12V6H6Zm-2 8h16v6H4v-6Zm2 2v2h12v-2H6Zm2-9.500h2v1H8v-1Zm0 10h2v1H8v-1Z'
);

export const filesIcon = icon(
  'files',
  'M6 2h8l5 5v15H6V2Zm2 2v16h9V8.500h-4.500V4H8Zm2 8h5v2h-5v-2Zm0 4h5v2h-5v-2Z'
);

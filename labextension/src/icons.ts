import { LabIcon } from '@jupyterlab/ui-components';

/** Three steps, two of them side by side: the one picture of this extension. */
export const kubeflowIcon = new LabIcon({
  name: 'jupyter-kubeflow:kubeflow',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M9 2h6a1 1 0 0 1 1 1v4a1 1 0 0 1-1 1h-2v2.2l4.6 2.8H21a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6c0-.3.1-.6.4-.8L12 11.700l-2.400 1.500c.3.2.4.5.4.8v6a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1h3.400L11 10.200V8H9a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1Z"/>
  </g>
</svg>`
});

export const compareIcon = new LabIcon({
  name: 'jupyter-kubeflow:compare',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M4 4h6v16H4V4Zm2 2v12h2V6H6Zm8-2h6v16h-6V4Zm2 2v12h2V6h-2Z"/>
</svg>`
});

export const pauseIcon = new LabIcon({
  name: 'jupyter-kubeflow:pause',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M7 5h3.500v14H7V5Zm6.500 0H17v14h-3.500V5Z"/>
</svg>`
});

/** A loss that goes down. */
export const trainingIcon = new LabIcon({
  name: 'jupyter-kubeflow:training',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M3 3h2v16h16v2H3V3Zm4 2.500 1.900-.6 2.700 7.700 3.300-1.600 5.600 4.400-1.200 1.600-4.600-3.600-4.200 2L7 5.500Z"/>
</svg>`
});

/** One way in, two ways on. */
export const endpointIcon = new LabIcon({
  name: 'jupyter-kubeflow:endpoint',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M2 11h6.600l5.400-6H17V2l5 4-5 4V7h-2.100l-4.500 5 4.500 5H17v-3l5 4-5 4v-3h-3l-5.400-6H2v-2Z"/>
</svg>`
});

/** A spark. */
export const sparkIcon = new LabIcon({
  name: 'jupyter-kubeflow:spark',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M11 2c.7 5 2.600 7.300 8 8.500-5.400 1.200-7.300 3.500-8 8.500-.7-5-2.600-7.300-8-8.500C8.400 9.300 10.300 7 11 2Zm7.500 12.500c.3 2.300 1.200 3.400 3.500 4-2.300.6-3.200 1.700-3.500 4-.3-2.300-1.200-3.400-3.500-4 2.300-.6 3.200-1.700 3.500-4Z"/>
</svg>`
});

import { LabIcon } from '@jupyterlab/ui-components';

/** Three sliders, as on a mixing desk. */
export const tuningIcon = new LabIcon({
  name: 'jupyter-kubeflow:tuning',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M5 3h2v8H5V3Zm-2 9h6v3H7v6H5v-6H3v-3Zm8-9h2v3h2v3H9V6h2V3Zm0 7h2v11h-2V10Zm6-7h2v10h-2V3Zm-2 11h6v3h-2v4h-2v-4h-2v-3Z"/>
</svg>`
});

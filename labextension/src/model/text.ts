import type { TranslationBundle } from '@jupyterlab/translation';

/** The part of a translation bundle that models use: one sentence, and one that counts. */
export type IText = Pick<TranslationBundle, '__' | '_n'>;

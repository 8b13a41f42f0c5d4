import type { IWhere } from './types';

/** What failed, where, and what to do: the one shape in which a failure reaches a view. */
export class KubeflowError extends Error {
  constructor(
    message: string,
    readonly options: {
      what?: string;
      where?: IWhere;
      hint?: string | null;
      /** HTTP status; 0 if no answer came. */
      status?: number;
      details?: string;
    } = {}
  ) {
    super(message);
    this.name = 'KubeflowError';
  }

  get what(): string {
    return this.options.what ?? this.message;
  }

  get where(): IWhere {
    return this.options.where ?? {};
  }

  get hint(): string | null {
    return this.options.hint ?? null;
  }

  get status(): number {
    return this.options.status ?? 0;
  }

  static from(error: unknown): KubeflowError {
    if (error instanceof KubeflowError) {
      return error;
    }
    return new KubeflowError(error instanceof Error ? error.message : String(error));
  }
}

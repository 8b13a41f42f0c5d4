import type { IServer } from './types';

export interface IWarningServices {
  show(server: IServer): string;
  /** False when somebody closed it meanwhile. */
  update(id: string, server: IServer): boolean;
  dismiss(id: string): void;
}

/** One warning at a time, for the server of this page: told once, kept true, gone when it is kept. */
export class IdleWarning {
  constructor(private readonly _services: IWarningServices) {}

  /** What is known of the server now; undefined where that is nothing. */
  take(server: IServer | undefined): void {
    if (!server) {
      return;
    }
    const { idle, state } = server;
    if (state !== 'running' || idle?.action !== 'warn') {
      this.withdraw();
      this._dismissed = null;
      return;
    }
    // Idleness that began at another time is another one; an age has but one end.
    const about = idle.idleSince ?? idle.stopsAt ?? '';
    if (this._dismissed === about) {
      return;
    }
    this._about = about;
    if (!this._id) {
      this._id = this._services.show(server);
    } else if (!this._services.update(this._id, server)) {
      this.closed();
    }
  }

  /** Somebody closed it: it does not come again for the same idleness. */
  closed(): void {
    this._id = null;
    this._dismissed = this._about;
  }

  /** Take it away. */
  withdraw(): void {
    const id = this._id;
    this._id = null;
    if (id) {
      this._services.dismiss(id);
    }
  }

  private _id: string | null = null;
  private _about = '';
  private _dismissed: string | null = null;
}

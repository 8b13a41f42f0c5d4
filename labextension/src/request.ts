import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { KubeflowError } from './model/errors';
import type { IWhere } from './model/types';
import type { IRequestInit } from './tokens';

const BASE = 'kubeflow/v1';

interface IErrorBody {
  message?: string;
  what?: string;
  where?: IWhere;
  hint?: string | null;
}

/** The only place that talks to the server. Every failure comes out as one sentence with its hint. */
export class Requester {
  constructor(
    private readonly _settings: ServerConnection.ISettings,
    private readonly _trans: TranslationBundle
  ) {}

  url(path: string, scheme: 'http' | 'ws' = 'http'): string {
    const base = scheme === 'ws' ? this._settings.wsUrl : this._settings.baseUrl;
    const url = URLExt.join(base, BASE) + '/' + path.replace(/^\//, '');
    const token = this._settings.token;
    if (scheme === 'ws' && token && this._settings.appendToken) {
      return `${url}${url.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`;
    }
    return url;
  }

  socket(path: string): WebSocket {
    return new this._settings.WebSocket(this.url(path, 'ws'));
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return (await this._read(path, { signal })).text;
  }

  async json<T>(path: string, init: IRequestInit = {}): Promise<T> {
    const { text, status } = await this._read(path, init);
    if (!text) {
      return undefined as T;
    }
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new KubeflowError(
        this._trans.__('The server answered with something that is no JSON.'),
        {
          status,
          details: text.slice(0, 2000)
        }
      );
    }
  }

  private async _read(path: string, init: IRequestInit): Promise<{ text: string; status: number }> {
    const response = await this._send(path, init);
    const text = await response.text();
    if (!response.ok) {
      throw this._failure(path, response.status, text);
    }
    return { text, status: response.status };
  }

  private async _send(path: string, init: IRequestInit): Promise<Response> {
    const request: RequestInit = { method: init.method ?? 'GET', signal: init.signal };
    if (init.body !== undefined) {
      request.body = JSON.stringify(init.body);
      request.headers = { 'Content-Type': 'application/json' };
    }
    try {
      return await ServerConnection.makeRequest(this.url(path), request, this._settings);
    } catch (error) {
      if (init.signal?.aborted) {
        throw error;
      }
      throw new KubeflowError(this._trans.__('The Jupyter server does not answer.'), {
        hint: this._trans.__('It is asked again until it does.'),
        status: 0,
        details: String(error)
      });
    }
  }

  private _failure(path: string, status: number, text: string): KubeflowError {
    let body: IErrorBody = {};
    try {
      body = JSON.parse(text) as IErrorBody;
    } catch {
      // A proxy's page; its status says enough.
    }
    const sentence = body.message || this._byStatus(status);
    return new KubeflowError(sentence, {
      what: body.what,
      where: body.where,
      hint: body.hint,
      status,
      details: `${status} ${BASE}/${path}`
    });
  }

  private _byStatus(status: number): string {
    switch (status) {
      case 401:
      case 403:
        return this._trans.__('You are not signed in to this server, or may not do this.');
      case 404:
        return this._trans.__('The server does not have this (any more).');
      case 502:
      case 503:
      case 504:
        return this._trans.__('The Jupyter server does not answer.');
      default:
        return this._trans.__('The server could not do this (status %1).', status);
    }
  }
}

import { readFile } from 'node:fs/promises';
import { Secret } from '../shared/domain/secret.ts';

/** Kubernetes puts a new token in place long before the old one expires; kubelet itself looks every minute. */
const FRESH_MS = 10_000;

/** The agent's own service account token, from a file that is replaced as the token rotates. */
export class InClusterToken {
  readonly #file: string;
  #last: { token: Promise<Secret>; readAt: number } | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** At most 10 s old. Rejects where the file cannot be read. */
  read(): Promise<Secret> {
    return this.#last && performance.now() - this.#last.readAt < FRESH_MS ? this.#last.token : this.readAgain();
  }

  /** As the file has it now. */
  readAgain(): Promise<Secret> {
    const token = readFile(this.#file, 'utf8').then((text) => new Secret(text.trim()));
    const last = { token, readAt: performance.now() };
    this.#last = last;
    token.catch(() => {
      if (this.#last === last) {
        this.#last = undefined;
      }
    });
    return token;
  }
}

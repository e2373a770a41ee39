import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** A change counts when it was seen twice: a file half written, or a pair of which one is new, is not taken. */
const POLL_MS = 1_000;

interface Log {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface FilesToWatch<T> {
  /** What they are for; the log says it. */
  what: string;
  paths: readonly string[];
  /** Gets the contents in the order of the paths. Throws where they are not good. */
  parse(contents: readonly Buffer[]): T | Promise<T>;
  log: Log;
  /** Between two looks at them, in milliseconds. */
  everyMs?: number;
}

/**
 * What some files say. They are read again where they change, replaced files and changed links included, within three
 * seconds. What cannot be read or parsed then is shouted about once, and what was loaded before stays.
 */
export class WatchedFiles<T> {
  readonly #files: FilesToWatch<T>;
  readonly #listeners: ((value: T) => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #current: T;
  /** Of the content that is current. */
  #loaded: string;
  #seenLast: string;
  #complaint: string | undefined;
  #isPolling = false;

  /** Throws an Error that says what is wrong with them at the start. */
  static async open<T>(files: FilesToWatch<T>): Promise<WatchedFiles<T>> {
    try {
      const contents = await readAll(files.paths);
      return new WatchedFiles(files, await files.parse(contents), digest(contents));
    } catch (error) {
      throw new Error(`${files.what} cannot be loaded from ${files.paths.join(' and ')}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  private constructor(files: FilesToWatch<T>, value: T, loaded: string) {
    this.#files = files;
    this.#current = value;
    this.#loaded = loaded;
    this.#seenLast = loaded;
    this.#timer = setInterval(() => void this.#poll(), files.everyMs ?? POLL_MS).unref();
  }

  get current(): T {
    return this.#current;
  }

  /** Called after each reload, with what is current from then on. */
  onReload(listener: (value: T) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    if (this.#isPolling) {
      return;
    }
    this.#isPolling = true;
    try {
      await this.#look();
    } finally {
      this.#isPolling = false;
    }
  }

  async #look(): Promise<void> {
    const { paths } = this.#files;
    const contents = await readAll(paths).catch((error: Error) => error);
    const seen = contents instanceof Error ? contents.message : digest(contents);
    const isSettled = seen === this.#seenLast;
    this.#seenLast = seen;
    if (seen === this.#loaded) {
      this.#complaint = undefined;
    } else if (isSettled) {
      await this.#load(contents, seen);
    }
  }

  /** Is tried again at each look: what is wrong may be outside of these files. */
  async #load(contents: Buffer[] | Error, seen: string): Promise<void> {
    const { what, paths, parse, log } = this.#files;
    try {
      if (contents instanceof Error) {
        throw contents;
      }
      this.#current = await parse(contents);
      this.#loaded = seen;
      this.#complaint = undefined;
      for (const listener of this.#listeners) {
        listener(this.#current);
      }
      log.info({ what, files: paths }, 'reloaded');
    } catch (error) {
      const complaint = `${seen} ${messageOf(error)}`;
      if (this.#complaint !== complaint) {
        this.#complaint = complaint;
        log.error({ what, files: paths, err: error }, 'not reloaded: what was loaded before stays');
      }
    }
  }
}

function readAll(paths: readonly string[]): Promise<Buffer[]> {
  return Promise.all(paths.map((path) => readFile(path)));
}

/** Kept instead of the contents, which may be secret. */
function digest(contents: readonly Buffer[]): string {
  return contents.map((content) => createHash('sha256').update(content).digest('hex')).join();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

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
  /** Names them to who starts the process. */
  setting?: string;
  /** Those of a folder are asked for at each look. */
  paths: readonly string[] | (() => Promise<readonly string[]>);
  /** Gets the contents in the order of the paths. Throws where they are not good. */
  parse(contents: readonly Buffer[], paths: readonly string[]): T | Promise<T>;
  /** What the log may tell of it; left out: nothing. */
  tell?(value: T): object;
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
      const read = await readAll(files.paths);
      return new WatchedFiles(files, await files.parse(read.contents, read.paths), digest(read));
    } catch (error) {
      const named = files.setting === undefined ? files.what : `${files.what} (${files.setting})`;
      throw new Error(`${named} cannot be loaded: ${messageOf(error)}`, { cause: error });
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
    const read = await readAll(this.#files.paths).catch((error: Error) => error);
    const seen = read instanceof Error ? read.message : digest(read);
    const isSettled = seen === this.#seenLast;
    this.#seenLast = seen;
    if (seen === this.#loaded) {
      this.#complaint = undefined;
    } else if (isSettled) {
      await this.#load(read, seen);
    }
  }

  /** Is tried again at each look: what is wrong may be outside of these files. */
  async #load(read: Read | Error, seen: string): Promise<void> {
    const { what, parse, tell, log } = this.#files;
    try {
      if (read instanceof Error) {
        throw read;
      }
      this.#current = await parse(read.contents, read.paths);
      this.#loaded = seen;
      this.#complaint = undefined;
      for (const listener of this.#listeners) {
        listener(this.#current);
      }
      log.info({ what, files: read.paths, ...tell?.(this.#current) }, 'reloaded');
    } catch (error) {
      const complaint = `${seen} ${messageOf(error)}`;
      if (this.#complaint !== complaint) {
        this.#complaint = complaint;
        log.error({ what, err: error }, 'not reloaded: what was loaded before stays');
      }
    }
  }
}

interface Read {
  paths: readonly string[];
  contents: readonly Buffer[];
}

async function readAll(wanted: FilesToWatch<unknown>['paths']): Promise<Read> {
  const paths = typeof wanted === 'function' ? await wanted() : wanted;
  return { paths, contents: await Promise.all(paths.map((path) => readNamed(path))) };
}

async function readNamed(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Kept instead of the contents, which may be secret. */
function digest({ paths, contents }: Read): string {
  return contents
    .map((content, index) => `${paths[index]} ${createHash('sha256').update(content).digest('hex')}`)
    .join();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

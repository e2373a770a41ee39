import { Duplex } from 'node:stream';
import type { Close } from '../../gen/leasehold/tunnel/v1/tunnel_service.ts';
import { brokenBy, ChannelBroken, closeFor } from './channel-errors.ts';
import { GrantedCredit, MAX_DATA, WINDOW } from './credit.ts';
import type { Link, Member, Step } from './link.ts';

type Done = (error?: Error | null) => void;

/**
 * A pair of byte streams inside a stream of frames. It behaves like a socket: `end` ends one direction, `destroy` both, at
 * once and on both sides; breaking, it fails with ChannelBroken (`code` ECONNRESET). What is written must not be changed
 * afterwards, since it is not copied. At most the window (128 KiB) waits to be read, and as much to be sent.
 */
export class Channel extends Duplex implements Member {
  readonly #link: Link;
  readonly #granted = new GrantedCredit();
  #credit = WINDOW;
  /** What is written and waits for credit, and who is told once all of it is sent. */
  #unsent: Uint8Array[] = [];
  #whenSent: Done | undefined;
  #isEnded = false;
  #hasOtherEnded = false;
  #closedBy: Close | undefined;

  constructor(link: Link) {
    super();
    this.#link = link;
    // A channel may break before its user can listen. The user learns of it by `errored`, or by what he does next.
    this.on('error', () => undefined);
  }

  /** For the multiplexer. What a listener throws breaks this channel, and no other. */
  receive(step: Step): void {
    if (this.#closedBy) {
      return;
    }
    try {
      this.#receive(step);
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #receive(step: Step): void {
    switch (step.$case) {
      case 'data':
        this.#receiveData(step.value);
        break;
      case 'credit':
        this.#receiveCredit(step.value);
        break;
      case 'end':
        this.#receiveEnd();
        break;
      case 'close':
        this.#receiveClose(step.value);
        break;
      default:
        this.#breakRules(`${step.$case} on an open channel`);
    }
  }

  /** For the multiplexer. */
  lose(why: Error): void {
    this.#closedBy = closeFor(why);
    this.destroy(new ChannelBroken(`the channel's stream is gone: ${why.message}`, { cause: why }));
  }

  #receiveData(data: Uint8Array): void {
    if (this.#hasOtherEnded) {
      this.#breakRules('data after the end');
    } else if (data.length === 0 || data.length > MAX_DATA) {
      this.#breakRules(`${data.length} bytes in one frame`);
    } else if (!this.#granted.spend(data.length)) {
      this.#breakRules('more data than there was credit for');
    } else {
      this.push(onItsOwn(data));
      this.#renewCredit();
    }
  }

  #receiveCredit(credit: number): void {
    this.#credit += credit;
    if (this.#credit > WINDOW) {
      // Without a bound, what it does not read would gather here.
      this.#breakRules('more credit than the window');
    } else {
      this.#sendWhatMay();
    }
  }

  #receiveEnd(): void {
    this.#hasOtherEnded = true;
    this.push(null);
  }

  /** What came whole, up to its end, may still be read, unless there is something to tell about the other direction. */
  #receiveClose(close: Close): void {
    this.#closedBy = close;
    if (this.#hasOtherEnded && !this.readableEnded && this.#whenSent === undefined) {
      this.once('end', () => this.destroy());
    } else {
      this.destroy(brokenBy(close));
    }
  }

  #breakRules(what: string): void {
    this.destroy(new ChannelBroken(`the other side broke the rules of the tunnel: ${what}`));
  }

  /** All readers, `pipe` and `for await` included, come through here. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    this.#renewCredit();
    return chunk;
  }

  /** Nothing to do: data comes by itself, as far as there is credit. */
  override _read(): void {}

  #renewCredit(): void {
    if (this.#hasOtherEnded || this.destroyed) {
      return;
    }
    const credit = this.#granted.renew(this.readableLength);
    if (credit > 0) {
      this.#link.send({ $case: 'credit', value: credit });
    }
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    this.#write([chunk], done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: Done): void {
    this.#write(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  #write(chunks: Uint8Array[], done: Done): void {
    if (this.#closedBy) {
      done(brokenBy(this.#closedBy));
      return;
    }
    this.#unsent = chunks;
    this.#whenSent = done;
    this.#sendWhatMay();
  }

  #sendWhatMay(): void {
    for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
      const size = Math.min(next.length, this.#credit, MAX_DATA);
      if (size > 0) {
        this.#credit -= size;
        this.#link.send({ $case: 'data', value: next.subarray(0, size) });
      }
      if (size < next.length) {
        this.#unsent[0] = next.subarray(size);
        if (this.#credit === 0) {
          return;
        }
      } else {
        this.#unsent.shift();
      }
    }
    this.#told();
  }

  #told(error?: Error | null): void {
    const done = this.#whenSent;
    this.#whenSent = undefined;
    done?.(error);
  }

  override _final(done: Done): void {
    this.#isEnded = true;
    if (!this.#closedBy) {
      this.#link.send({ $case: 'end', value: {} });
    }
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    const hasEndedWell = this.#isEnded && this.#hasOtherEnded;
    if (!this.#closedBy && !hasEndedWell) {
      this.#link.send({ $case: 'close', value: closeFor(error) });
    }
    this.#link.leave();
    this.#unsent = [];
    this.#told(error ?? new ChannelBroken('the channel was destroyed'));
    done(error);
  }

  /** As of a socket: ends, and is gone once all is sent. */
  destroySoon(): void {
    if (this.writable) {
      this.end();
    }
    if (this.writableFinished) {
      this.destroy();
    } else {
      this.once('finish', () => this.destroy());
    }
  }

  /** As of a socket, for those who use the channel as one; a channel has nothing to set. */
  setNoDelay(): this {
    return this;
  }

  /** As of a socket. */
  setKeepAlive(): this {
    return this;
  }

  /** As of a socket. It never times out: whoever uses the channel has deadlines of his own. */
  setTimeout(): this {
    return this;
  }

  /** As of a socket. */
  ref(): this {
    return this;
  }

  /** As of a socket. */
  unref(): this {
    return this;
  }
}

/** A small part of a message must not keep the whole of it in memory until it is read. */
function onItsOwn(data: Uint8Array): Uint8Array {
  return data.byteLength * 2 < data.buffer.byteLength ? Buffer.from(data) : data;
}

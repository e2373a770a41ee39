import type { RawGrpc, RawOutcome } from '../support/raw-grpc.ts';

/** A connection that is made anew where the server has given it up, as it does when it was idle or is of age. */
export class LastingConnection implements AsyncDisposable {
  readonly #connect: () => Promise<RawGrpc>;
  #connection: Promise<RawGrpc> | undefined;

  constructor(connect: () => Promise<RawGrpc>) {
    this.#connect = connect;
  }

  async call(path: string, messages: readonly Buffer[], headers: Record<string, string>): Promise<RawOutcome> {
    const seen = this.#connection;
    if (!seen || (await seen).session.closed) {
      // Others may have seen the same, and been faster.
      this.#connection = this.#connection === seen ? this.#connect() : this.#connection;
    }
    const connection = await (this.#connection ?? this.#connect());
    return connection.call(path, messages, headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#connection)?.close();
  }
}

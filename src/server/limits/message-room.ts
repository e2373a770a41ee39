/**
 * Clients of gRPC refuse a message above 4 MiB unless they are told otherwise (Go, Java, Node and Python alike). This is
 * well below, so that what stands around the items fits as well.
 */
const MAX_BYTES = 2 * 1024 * 1024;

/** A message type, as ts-proto generates it. */
export interface MessageType<Message> {
  encode(message: Message): { finish(): Uint8Array };
}

/** What fits into one message of ours that holds any number of items: by their encoded size. */
export class MessageRoom<Item> {
  readonly #type: MessageType<Item>;
  #bytes = 0;
  #isEmpty = true;

  constructor(type: MessageType<Item>) {
    this.#type = type;
  }

  /** Takes the item in if it fits. The first always does: one that is larger than the room gets a message of its own. */
  takes(item: Item): boolean {
    const bytes = this.#bytes + this.#type.encode(item).finish().length;
    const fits = this.#isEmpty || bytes <= MAX_BYTES;
    if (fits) {
      this.#bytes = bytes;
      this.#isEmpty = false;
    }
    return fits;
  }
}

import type { Duplex } from 'node:stream';
import { parseJson } from '../../src/shared/domain/parse-json.ts';

/** Writes bytes as they are and returns all that comes back until the other side ends it or breaks it off. */
export async function exchange(connection: Duplex, bytes: string): Promise<string> {
  let answer = '';
  connection.setEncoding('latin1');
  connection.on('data', (chunk: string) => {
    answer += chunk;
  });
  connection.on('end', () => connection.end());
  connection.on('error', () => undefined);
  const closed = new Promise((resolve) => connection.once('close', resolve));
  connection.write(Buffer.from(bytes, 'latin1'));
  await closed;
  return answer;
}

/** A request, with a content-length where it has a body and none is given. */
export function requestText(
  firstLine: string,
  headers: readonly string[] = [],
  body: object | string | undefined = undefined,
): string {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const isMeasured = headers.some((header) => /^(?:content-length|transfer-encoding):/i.test(header));
  const length = body === undefined || isMeasured ? [] : [`Content-Length: ${text.length}`];
  return [firstLine, 'Host: gateway', ...headers, ...length, '', text].join('\r\n');
}

/** The answers that stand in a text one after another, each with a content-length. */
export function answersIn(text: string): { status: number; headers: string; body: unknown }[] {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) {
    return [];
  }
  const headers = text.slice(0, end);
  const length = Number(/\r\ncontent-length: (\d+)/i.exec(headers)?.[1] ?? 0);
  const body = text.slice(end + 4, end + 4 + length);
  return [
    { status: Number(headers.slice(9, 12)), headers, body: parseJson(body) },
    ...answersIn(text.slice(end + 4 + length)),
  ];
}

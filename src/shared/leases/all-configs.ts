import type { StoredConfig } from '../domain/damaged-config.ts';
import type { Ports } from '../ports/ports.ts';

const PAGE = 200;

/** Every config, page by page. */
export async function* allConfigs(ports: Ports): AsyncGenerator<StoredConfig> {
  let page: StoredConfig[];
  let after = '';
  do {
    page = await ports.configs.list({ after, limit: PAGE });
    yield* page;
    after = page.at(-1)?.name ?? '';
  } while (page.length === PAGE);
}

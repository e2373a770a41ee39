import { ClusterAddressNotAllowed } from '../domain/cluster-error.ts';
import { InvalidArgument } from '../domain/errors.ts';

/** What calls the cluster of a config that is being written: an address that may not be called is wrong in what was written. */
export async function blameUrl<T>(calling: Promise<T>): Promise<T> {
  try {
    return await calling;
  } catch (error) {
    if (error instanceof ClusterAddressNotAllowed) {
      throw new InvalidArgument([{ field: 'config.direct.url', description: error.problem }]);
    }
    throw error;
  }
}

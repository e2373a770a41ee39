import { ClusterError, ClusterRefused } from '../domain/cluster-error.ts';
import type { Lease, LeaseObject } from '../domain/lease.ts';
import type { Cluster, FoundNamespace } from '../ports/cluster.ts';

/** The cluster token may not delete an object. The message says what its namespace tells of it, and what to do. */
class DeleteDenied extends ClusterRefused {
  constructor({ call, refusal, message }: ClusterRefused, advice: string) {
    super(call, refusal);
    this.message = `${message}. ${advice}`;
  }
}

/**
 * Where a namespace is deleted, the Role that allows deletes there goes with it, and each delete is forbidden for ever.
 * Then the namespace itself is asked for: that there is none, or another one of its name, proves that all that was in it
 * is gone. Throws DeleteDenied where nothing is proven.
 */
export class NamespaceProof {
  readonly #cluster: Cluster;
  readonly #lease: Lease;
  #asked: Promise<FoundNamespace | ClusterError | undefined> | undefined;

  constructor(cluster: Cluster, lease: Lease) {
    this.#cluster = cluster;
    this.#lease = lease;
  }

  /** Returns where `object`, whose delete met that denial, is gone with its namespace. */
  async requireGone(object: LeaseObject, denial: ClusterRefused): Promise<void> {
    if (object.kind === 'ClusterRoleBinding' || denial.reason !== 'CLUSTER_FORBIDDEN') {
      throw denial;
    }
    this.#asked ??= this.#ask();
    const found = await this.#asked;
    if (found instanceof ClusterError) {
      throw new DeleteDenied(denial, this.#unknown(found));
    }
    if (found && !this.#isAnother(found)) {
      throw new DeleteDenied(denial, this.#stillThere(found));
    }
  }

  /** Once for all objects of the lease. */
  #ask(): Promise<FoundNamespace | ClusterError | undefined> {
    return this.#cluster.readNamespace(this.#lease.namespace).catch((error: unknown) => {
      if (!(error instanceof ClusterError)) {
        throw error;
      }
      return error;
    });
  }

  /** Than that in which the objects were created. */
  #isAnother({ uid }: FoundNamespace): boolean {
    const { namespaceUid } = this.#lease;
    return namespaceUid !== undefined && uid !== namespaceUid;
  }

  #unknown(error: ClusterError): string {
    const { namespace } = this.#lease;
    if (!(error instanceof ClusterRefused)) {
      return `Whether namespace ${JSON.stringify(namespace)} still exists could not be read: ${error.problem}`;
    }
    return `The cluster token may not delete here any more. If namespace ${JSON.stringify(namespace)} was deleted, grant it "get" on that namespace (docs/clusters.md), or end the lease with force; if not, restore its permissions`;
  }

  #stillThere({ uid, isTerminating }: FoundNamespace): string {
    const { namespace, namespaceUid } = this.#lease;
    const name = JSON.stringify(namespace);
    if (isTerminating) {
      return `Namespace ${name} is being deleted (Terminating); the lease ends once it is gone`;
    }
    return uid === namespaceUid
      ? `Namespace ${name} still exists: restore the permissions of the cluster token there, or end the lease with force`
      : `Namespace ${name} exists, but may have been deleted and created again since: restore the permissions of the cluster token there, or end the lease with force`;
  }
}

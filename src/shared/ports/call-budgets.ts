/**
 * What a principal may make Leasehold ask of clusters, at all servers together. Both throw ResourceExhausted, with the
 * time after which the same is admitted, and count nothing then. Fail with Unavailable where the store is away.
 */
export interface CallBudgets {
  /** Counts that many questions to a cluster, before it is asked. */
  admitQuestions(principal: string, count: number): Promise<void>;
  /**
   * Counts a trial, which makes objects in a cluster, or connects to an address of the caller's choice; and that many
   * questions with it, or neither.
   */
  admitTrial(principal: string, questions: number): Promise<void>;
}

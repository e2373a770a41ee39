/** Who calls. Callers are not authenticated yet: all are one. */
export const ANYBODY = 'unauthenticated';

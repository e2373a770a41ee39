import { loadAllYaml } from '@kubernetes/client-node';

/** The lines of rules that a manifest grants: one for each verb on each resource. */
export function grantedBy(manifest: string): string[] {
  const roles = loadAllYaml(manifest).filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole');
  return roles.flatMap(({ kind, rules }) =>
    (rules as { resources: string[]; verbs: string[] }[]).flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${kind}: ${verb} ${resource}`)),
    ),
  );
}

// Kubernetes: "Object Names and IDs" and "Labels and Selectors" (kubernetes.io/docs/concepts/overview/working-with-objects).

/** RFC 1123 label: names of namespaces. */
export const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/** RFC 1123 subdomain, to 253 characters: names of service accounts. */
export const DNS_SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

/** Names of RBAC objects are path segments: anything but '.', '..', '/' and '%'. We refuse control characters and blanks too. */
export const PATH_SEGMENT = /^(?!\.{1,2}$)[^/%\p{C}\p{Z}]{1,253}$/u;

/** A label's key: an optional DNS subdomain and '/', then a name of 1 to 63 characters. */
export const LABEL_KEY =
  /^(?:(?=[^/]{1,253}\/)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** A label's value: empty, or 1 to 63 characters. */
export const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

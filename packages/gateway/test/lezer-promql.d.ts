/** Its own declarations are not among what its package exports. */
declare module "@prometheus-io/lezer-promql" {
  export const parser: import("@lezer/lr").LRParser
}

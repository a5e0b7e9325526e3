export const split = (scope: string | undefined): ReadonlyArray<string> => [
  ...new Set((scope ?? "").split(/\s+/).filter((one) => one !== ""))
]

/** Undefined for nothing. */
export const union = (...scopes: ReadonlyArray<string | undefined>): string | undefined => {
  const all = split(scopes.join(" "))
  return all.length === 0 ? undefined : all.join(" ")
}

export const covers = (have: string | undefined, want: string | undefined): boolean => {
  const all = new Set(split(have))
  return split(want).every((one) => all.has(one))
}

/**
 * What is configured, else what the refusal names, else what the metadata lists, else nothing, so that the authorization server
 * decides; for a step-up, also what was asked for before. `offline_access` is added where it is known: only then some servers give
 * tokens that can be renewed.
 */
export const wanted = (from: {
  readonly configured: string | undefined
  readonly challenge: string | undefined
  readonly resource: ReadonlyArray<string> | undefined
  readonly server: ReadonlyArray<string> | undefined
  readonly before: string | undefined
}): string | undefined => {
  const first = union(from.configured) ?? union(from.challenge) ?? union(from.resource?.join(" "))
  // What a refusal names is needed, whatever is configured.
  const scope = from.before === undefined ? first : union(from.before, first, from.challenge)
  return scope !== undefined && from.server?.includes("offline_access") === true
    ? union(scope, "offline_access")
    : scope
}

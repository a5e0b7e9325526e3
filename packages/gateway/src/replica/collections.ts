/**
 * What replicas keep together, by the names of its collections. Pure.
 */

export const switches = "switches"

/** How each replica is configured to run servers. */
export const configurations = "configurations"

/** Of these, each replica learns at once when another one changes them. */
export const followed: ReadonlyArray<string> = ["grants", "logins", "clients", switches, configurations]

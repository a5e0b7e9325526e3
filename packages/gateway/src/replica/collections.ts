export const switches = "switches"

export const configurations = "configurations"

/** Each replica learns at once when another one changes these. */
export const followed: ReadonlyArray<string> = ["grants", "logins", "clients", switches, configurations]

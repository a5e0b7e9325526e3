/** Types that show nothing of Effect, for packages that hide it. */
export type { ExtensionOptions, ListFilter, ServerOptions } from "./ExtensionOptions.js"
export type { FiltersStatus, FilterStatus, UnmatchedPattern } from "./FilterStatus.js"
export type { PinChange, PinsStatus, PinStatus } from "./PinStatus.js"

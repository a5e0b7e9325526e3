import type { Status as CoreStatus } from "@mcp-lifeline/core/types"
import type { FiltersStatus, PinsStatus } from "@mcp-lifeline/extensions/types"

/** A supervised server at one moment. */
export interface Status extends CoreStatus, FiltersStatus, PinsStatus {}

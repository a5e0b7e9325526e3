import { project } from "../../scripts/vitest/project.js"

export default project("mcp-lifeline", { built: true })

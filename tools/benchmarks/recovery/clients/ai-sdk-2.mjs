import { aiSdk } from "../rivals/aiSdk.mjs"

export const client = aiSdk("ai-sdk-2", "2", "https://ai-sdk.dev/docs/ai-sdk-core/mcp-tools")

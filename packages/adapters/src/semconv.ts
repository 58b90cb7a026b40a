/** Names that the adapters put on spans beside those of the SDK (OpenTelemetry's GenAI conventions, in development). */
export const ATTR_TOOL_CALL_ID = 'gen_ai.tool.call.id';
export const ATTR_INPUT_TOKENS = 'gen_ai.usage.input_tokens';
export const ATTR_OUTPUT_TOKENS = 'gen_ai.usage.output_tokens';

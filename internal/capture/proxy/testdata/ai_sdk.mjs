// Talks as a program with the AI SDK does: node ai_sdk.mjs URL. A model behind URL/v1 is asked with a tool that it may call, and a chat behind
// URL/api/chat is read as a page reads it. What came of both is written as JSON.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { DefaultChatTransport, readUIMessageStream, stepCountIs, streamText, tool, jsonSchema } from 'ai';

const url = process.argv[2];
const provider = createOpenAICompatible({ name: 'house', baseURL: url + '/v1', apiKey: 'secret', includeUsage: true });
const result = streamText({
  model: provider('m-1'),
  prompt: 'May I fly?',
  tools: { wind: tool({ description: 'the wind', inputSchema: jsonSchema({ type: 'object', properties: {} }), execute: async () => '9 m/s' }) },
  stopWhen: stepCountIs(3),
});
const text = await result.text;
const usage = await result.totalUsage;

const transport = new DefaultChatTransport({ api: url + '/api/chat' });
const stream = await transport.sendMessages({
  trigger: 'submit-message', chatId: 'chat-1', messageId: undefined, abortSignal: undefined,
  messages: [{ id: 'u1', role: 'user', parts: [{ type: 'text', text: 'May I fly?' }] }],
});
let last;
for await (const message of readUIMessageStream({ stream })) last = message;
console.log(JSON.stringify({ text, output: usage.outputTokens, parts: last.parts }));

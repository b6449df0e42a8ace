// The openai library against a gateway (GATEWAY: its address); prints TAP.

import OpenAI from 'openai';

const gateway = process.env.GATEWAY;
const messages = [{ role: 'user', content: 'private-prompt hello' }];
const tools = [{
    type: 'function',
    function: {
        name: 'get_weather',
        description: 'The weather',
        parameters: {
            type: 'object',
            properties: { city: { type: 'string' } },
        },
    },
}];

let count = 0;

function ok(condition, name) {
    count++;
    console.log(`${condition ? 'ok' : 'not ok'} ${count} - node: ${name}`);
}

function same(got, wanted, name) {
    const equal = JSON.stringify(got) === JSON.stringify(wanted);
    ok(equal, name);
    if (!equal) {
        console.log(`# ${name}: got ${JSON.stringify(got)}, `
            + `wanted ${JSON.stringify(wanted)}`);
    }
}

function client(name, options = {}) {
    return new OpenAI({
        baseURL: `${gateway}/${name}/v1`, apiKey: 'sk-client',
        maxRetries: 0, timeout: 20000, ...options,
    });
}

function chat(name, fields = {}) {
    return client(name).chat.completions.create(
        { model: 'gpt-4o', messages, ...fields });
}

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) {
        chunks.push(chunk);
    }
    return chunks;
}

const text = (chunks) => chunks
    .map((c) => c.choices[0]?.delta.content ?? '').join('');

async function fails(promise, name) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    ok(false, `${name}: throws`);
    return {};
}

const all = [
    async function plain() {
        for (const name of ['plain', 'claude']) {
            const answer = await chat(name);
            same(answer.choices[0].message.content, 'hello there',
                `${name}: text`);
            same(answer.usage.total_tokens, 15, `${name}: usage`);
        }
    },

    async function streams() {
        for (const name of ['stream', 'claude-stream']) {
            let chunks = await collect(await chat(name, { stream: true }));
            same(text(chunks), 'one two three', `${name}: text`);
            same(chunks.filter((c) => c.choices[0]?.finish_reason).length, 1,
                `${name}: one finish`);
            ok(!chunks.some((c) => c.usage), `${name}: no usage`);
            chunks = await collect(await chat(name, {
                stream: true, stream_options: { include_usage: true },
            }));
            same(chunks.filter((c) => c.usage)
                .map((c) => c.usage.total_tokens), [15],
            `${name}: usage when asked for`);
        }
    },

    async function helper() {
        const runner = client('claude-stream').chat.completions.stream(
            { model: 'gpt-4o', messages });
        same(await runner.finalContent(), 'one two three',
            'the library\'s own accumulation');
    },

    async function toolCalls() {
        const answer = await chat('claude-tools', { tools });
        same(answer.choices[0].message.tool_calls.map((c) => c.function.name),
            ['add', 'multiply'], 'parallel calls');
        same(answer.choices[0].finish_reason, 'tool_calls', 'finish');
        for (const [name, wanted] of [
            ['openai-tools-stream', ['get_weather', 'get_product_name']],
            ['claude-tools-stream', ['add', 'multiply']],
            ['gemini-tools', ['get_weather', 'get_weather']],
        ]) {
            const runner = client(name).chat.completions.stream(
                { model: 'gpt-4o', messages, tools });
            const message = await runner.finalMessage();
            same(message.tool_calls.map((c) => c.function.name), wanted,
                `${name}: names`);
            ok(message.tool_calls.every((c) => c.id
                && JSON.parse(c.function.arguments || '{}')),
            `${name}: ids and arguments`);
        }
    },

    async function errors() {
        for (const [name, kind] of [
            ['400', OpenAI.BadRequestError],
            ['401', OpenAI.AuthenticationError],
            ['403', OpenAI.PermissionDeniedError],
            ['404', OpenAI.NotFoundError],
            ['422', OpenAI.UnprocessableEntityError],
            ['429', OpenAI.RateLimitError],
            ['500', OpenAI.InternalServerError],
            ['claude-429', OpenAI.RateLimitError],
        ]) {
            for (const stream of [false, true]) {
                const error = await fails(chat(name, { stream }), name);
                ok(error instanceof kind, `${name}: ${kind.name}`);
                same(error.error?.message,
                    `the provider says ${name.slice(-3)}`,
                    `${name}: message`);
            }
        }
        const error = await fails(chat('429'), '429');
        same(error.code, 'rate_limit_exceeded', '429: code');
        same(error.headers.get('retry-after'), '1', '429: Retry-After');
        same(error.requestID, 'req-sdk-1', '429: request id');
    },

    async function retry() {
        const answer = await client('retry-once', { maxRetries: 2 })
            .chat.completions.create({ model: 'gpt-4o', messages });
        same(answer.choices[0].message.content, 'after all',
            'the library retries a 429');
    },

    async function brokenStreams() {
        for (const [name, wanted] of [
            ['cut', 'one two '], ['claude-error', 'one '],
        ]) {
            let got = '';
            const error = await fails((async () => {
                for await (const chunk of await chat(name,
                    { stream: true })) {
                    got += chunk.choices[0].delta.content ?? '';
                }
            })(), name);
            ok(error instanceof OpenAI.APIError, `${name}: throws`);
            same(got, wanted, `${name}: after what came`);
        }
    },

    async function rawResponse() {
        const { data, response } = await client('plain').chat.completions
            .create({ model: 'gpt-4o', messages }).withResponse();
        same(response.headers.get('x-ratelimit-remaining-requests'), '41',
            'withResponse: rate limits');
        same(data._request_id, 'req-sdk-1', 'request id');
    },

    async function otherApis() {
        const models = [];
        for await (const model of client('models').models.list()) {
            models.push(model.id);
        }
        same(models, ['gpt-4o'], 'models');
        const answer = await client('embeddings').embeddings.create({
            model: 'e', input: 'private-prompt', encoding_format: 'float',
        });
        same(answer.data[0].embedding, [0.5, -0.25], 'embeddings');
    },

    async function abort() {
        const stream = await chat('claude-stream', { stream: true });
        for await (const chunk of stream) {
            ok(chunk, 'a stream can be left');
            break;
        }
        stream.controller.abort();
    },

    async function parallel() {
        const streams = await Promise.all(Array.from({ length: 20 },
            async () => text(await collect(
                await chat('claude-stream', { stream: true })))));
        same(new Set(streams).size, 1, '20 streams at once');
    },
];

for (const one of all) {
    try {
        await one();
    } catch (error) {
        ok(false, `${one.name} threw`);
        console.log(`# ${error.stack}`.replaceAll('\n', '\n# '));
    }
}
console.log(`1..${count}`);

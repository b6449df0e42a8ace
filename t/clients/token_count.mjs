// What the gateway (GATEWAY: its address) counts in English and Chinese text,
// source code and JSON, against o200k_base; prints TAP.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Tiktoken } from 'js-tiktoken/lite';
import o200k from 'js-tiktoken/ranks/o200k_base';

const tokenizer = new Tiktoken(o200k);
// What the message around the text counts as.
const frame = await count('');
let number = 0;

async function count(text) {
    const response = await fetch(
        `${process.env.GATEWAY}/v1/messages/count_tokens`, {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({
                model: 'm', messages: [{ role: 'user', content: text }],
            }),
        });
    return (await response.json()).input_tokens;
}

function files(folder, pattern) {
    return readdirSync(folder, { recursive: true })
        .filter((name) => pattern.test(name)).sort()
        .map((name) => join(folder, name));
}

// All of them as one text of at most some hundred KB.
function joined(names) {
    return names.map((name) => readFileSync(name, 'utf8')).join('')
        .slice(0, 300000);
}

async function compare(what, text) {
    const expected = tokenizer.encode(text, [], []).length;
    const off = (await count(text) - frame) / expected - 1;
    number++;
    console.log(`${expected > 100 && Math.abs(off) <= 0.1 ? '' : 'not '}ok `
        + `${number} - ${what}: ${expected} tokens, within 10 %`);
    console.log(`# ${what}: ${expected} tokens, ${(100 * off).toFixed(1)} %`);
}

const samples = JSON.parse(readFileSync('t/clients/token_samples.json'));
await compare('English', samples.english);
await compare('English with markup', joined(['README.md']));
await compare('Chinese', samples.chinese);
await compare('C++', joined(files('src/core', /\.cpp$/)));
await compare('Perl', joined(files('t', /\.t$/)));
await compare('Python', joined(files('tests', /\.py$/)));
await compare('JSON', joined(
    files(join(process.env.AI_PROXY_FIXTURES, 'openai'), /\.json$/)));
console.log(`1..${number}`);

#!/usr/bin/perl

# Providers with a protocol of their own, plain and streamed: the request they
# get and the OpenAI answer that the client gets.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $gemini = { candidates => [{ index => 0, finishReason => 'STOP',
    content => { role => 'model', parts => [{ text => 'hello there' }] } }],
    usageMetadata => { promptTokenCount => 11, candidatesTokenCount => 2,
        thoughtsTokenCount => 2, totalTokenCount => 15,
        cachedContentTokenCount => 3 },
    modelVersion => 'gemini-test', responseId => 'r-1' };
my @gemini_events = map {
    { %$gemini, candidates => [{ index => 0,
        content => { role => 'model', parts => [{ text => $_->[0] }] },
        $_->[1] ? (finishReason => 'STOP') : () }] }
} ['hello ', 0], ['there', 1];

sub qwen_event {
    my ($text, $finish) = @_;
    my $n = 1;
    return 'raw:id:1' . "\nevent:result\n:HTTP_STATUS/200\ndata:" . encode({
        output => { choices => [{ message => { role => 'assistant',
            content => $text }, finish_reason => $finish }] },
        usage => { input_tokens => 11, output_tokens => 4,
            total_tokens => 15 }, request_id => 'q-1' }) . "\n\n";
}

my $up = Upstream->start(
    claude => { json => claude_answer('hello there') },
    claude_stream => { events => claude_events('hello there') },
    claude_gate => { events => claude_events('hello there'), gate => 3 },
    claude_split => { events => claude_events('hello there'), split => 1 },
    claude_error => { events => [@{ claude_events('hello there') }[0 .. 2],
        "raw:event: error\ndata: " . encode({ type => 'error', error => {
            type => 'overloaded_error', message => 'Overloaded' } })
        . "\n\n"] },
    claude_tools => { json => { %{ claude_answer('') },
        stop_reason => 'tool_use', content => [
            { type => 'text', text => 'I look.' },
            { type => 'tool_use', id => 'toolu_1', name => 'get_weather',
                input => { city => 'Paris' } },
            { type => 'tool_use', id => 'toolu_2', name => 'get_time',
                input => {} }] } },
    gemini => { json => $gemini },
    gemini_stream => { events => \@gemini_events },
    qwen => { json => { output => { choices => [{ finish_reason => 'stop',
        message => { role => 'assistant', content => 'hello there' } }] },
        usage => { input_tokens => 11, output_tokens => 4,
            total_tokens => 15 }, request_id => 'q-1' } },
    qwen_stream => { events => [qwen_event('hello ', 'null'),
        qwen_event('there', 'stop')] },
);

my %type = (claude => 'claude', gemini => 'gemini', qwen => 'qwen');
my (@names, $http);
for my $name (qw(claude claude_stream claude_gate claude_split claude_error
    claude_tools gemini gemini_stream qwen qwen_stream))
{
    my ($type) = $name =~ /^([a-z]+)/;
    $http .= provider($name => $type => $up->url($name),
        "model_map * $type-model;",
        $type eq 'qwen' ? 'qwen_enable_compatible off;' : ());
    push @names, $name;
}
my $gw = Gateway->start(http => zone() . $http,
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

sub chat {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions", chat_body(
        messages => [{ role => 'system', content => 'Be brief.' },
            { role => 'user', content => 'private-prompt hello' }],
        max_tokens => 50, stop => ['END'], %fields));
}
sub stream { my ($n, %f) = @_; return chat($n, stream => JSON::PP::true, %f) }
my %ask = (stream_options => { include_usage => JSON::PP::true });

###############################################################################
# plain

for my $name (qw(claude gemini qwen)) {
    my $reply = chat($name);
    is($reply->{status}, 200, "$name: status");
    my $body = Client::json($reply) // {};
    is($body->{object}, 'chat.completion', "$name: the object is OpenAI's");
    is($body->{choices}[0]{message}{content}, 'hello there', "$name: text");
    is($body->{choices}[0]{finish_reason}, 'stop', "$name: finish");
    is($body->{usage}{prompt_tokens}, 11, "$name: prompt tokens");
    is($body->{usage}{completion_tokens}, 4, "$name: completion tokens");
    is($body->{usage}{total_tokens}, 15, "$name: total");
    is(Client::header($reply, 'Content-Length'), length $reply->{body},
        "$name: a length");
}
is(Client::json(chat('claude'))->{usage}{prompt_tokens_details}{cached_tokens},
    3, 'cached tokens of claude');
is(Client::json(chat('gemini'))->{usage}{completion_tokens_details}
    {reasoning_tokens}, 2, 'reasoning tokens of gemini');

# What the vendors got.

my $seen = $up->last_request('claude');
my $sent = decode($seen->{body});
is($seen->{path}, '/v1/messages', 'claude: path');
is(Upstream::header($seen, 'x-api-key'), 'sk-secret-claude', 'claude: key');
is(Upstream::header($seen, 'anthropic-version'), '2023-06-01',
    'claude: version');
is(Upstream::header($seen, 'Authorization'), undef, 'claude: no Bearer');
is($sent->{model}, 'claude-model', 'claude: model');
is($sent->{max_tokens}, 50, 'claude: max_tokens');
is_deeply($sent->{stop_sequences}, ['END'], 'claude: stop');
is(ref $sent->{system} ? $sent->{system}[0]{text} : $sent->{system},
    'Be brief.', 'claude: system');
is(scalar @{ $sent->{messages} }, 1, 'claude: one message is left');

$seen = $up->last_request('gemini');
$sent = decode($seen->{body});
is($seen->{path}, '/v1beta/models/gemini-model:generateContent',
    'gemini: path');
is(Upstream::header($seen, 'x-goog-api-key'), 'sk-secret-gemini',
    'gemini: key');
is($sent->{generationConfig}{maxOutputTokens}, 50, 'gemini: max tokens');
is_deeply($sent->{generationConfig}{stopSequences}, ['END'], 'gemini: stop');
my $system = $sent->{systemInstruction} // $sent->{system_instruction};
is($system->{parts}[0]{text}, 'Be brief.', 'gemini: system');
is($sent->{contents}[0]{parts}[0]{text}, 'private-prompt hello',
    'gemini: text');

$seen = $up->last_request('qwen');
$sent = decode($seen->{body});
is($seen->{path}, '/api/v1/services/aigc/text-generation/generation',
    'qwen: path');
is(Upstream::header($seen, 'Authorization'), 'Bearer sk-secret-qwen',
    'qwen: key');
is($sent->{input}{messages}[1]{content}, 'private-prompt hello', 'qwen: text');
is($sent->{parameters}{result_format}, 'message', 'qwen: result format');
is($sent->{parameters}{max_tokens}, 50, 'qwen: max tokens');

###############################################################################
# streams

for my $name (qw(claude_stream claude_split gemini_stream qwen_stream)) {
    my $reply = stream($name);
    check_stream($reply, 'hello there', "$name: the stream is OpenAI's");
    is(scalar(grep { ref && $_->{usage} } Client::events($reply)), 0,
        "$name: no usage when not asked");
    $reply = stream($name, %ask);
    check_stream($reply, 'hello there', "$name: with usage");
    my ($usage) = map { $_->{usage} } grep { ref && $_->{usage} }
        Client::events($reply);
    is($usage->{total_tokens}, 15, "$name: is right");
}
is($up->last_request('gemini_stream')->{path},
    '/v1beta/models/gemini-model:streamGenerateContent?alt=sse',
    'gemini streams by its own path');
is(Upstream::header($up->last_request('qwen_stream'), 'X-DashScope-SSE'),
    'enable', 'qwen streams by its own header');
ok(decode($up->last_request('claude_stream')->{body})->{stream},
    'claude streams by its field');

my $client = $gw->client->send('POST', '/claude_gate/v1/chat/completions',
    chat_body(stream => JSON::PP::true));
my $reply = $client->wait(sub { $_[0]{body} =~ /hello/ }, 20);
like($reply->{body}, qr/hello/, 'an event leaves converted when it came');
unlike($reply->{body}, qr/there/, 'before the next one did');
$up->open_gate('claude_gate');
check_stream($client->finish, 'hello there', 'the rest follows');

# An error of the provider in mid-stream: one error event, no finish, no DONE.

$reply = stream('claude_error');
is($reply->{status}, 200, 'an error in mid-stream: the stream had begun');
my @events = Client::events($reply);
is(Client::text($reply), 'hello ', 'what came before it was shown');
is(scalar(grep { ref && $_->{error} } @events), 1, 'one error event');
like($events[-1]{error}{message} // '', qr/Overloaded/,
    'is last and has the words');
unlike($reply->{body}, qr/\[DONE\]|"finish_reason":"/, 'no end is made up');

###############################################################################
# tools

my $body = Client::json(chat('claude_tools', tools => [{ type => 'function',
    function => { name => 'get_weather', description => 'W',
        parameters => { type => 'object', properties => {} } } }],
    tool_choice => 'required'));
my $message = $body->{choices}[0]{message};
is($body->{choices}[0]{finish_reason}, 'tool_calls', 'tools: finish');
is(scalar @{ $message->{tool_calls} }, 2, 'tools: both calls');
is_deeply(decode($message->{tool_calls}[0]{function}{arguments}),
    { city => 'Paris' }, 'tools: arguments are a JSON text');
is_deeply(decode($message->{tool_calls}[1]{function}{arguments}), {},
    'tools: no arguments are {}');
is($message->{content}, 'I look.', 'tools: text beside them');
$sent = decode($up->last_request('claude_tools')->{body});
is($sent->{tools}[0]{name}, 'get_weather', 'tools: sent as the vendor likes');
is($sent->{tool_choice}{type}, 'any', 'tools: the choice too');

done($gw, $up);

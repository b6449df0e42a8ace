#!/usr/bin/perl

# A provider's error keeps its status, its words and the fields that a client
# acts on, in OpenAI's shape, whatever the provider's own shape.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

sub openai { return { json => { error => { message => $_[0],
    type => $_[1], param => $_[2], code => $_[3] } } } }

my %case = (
    # name => [type, behaviour, status, message, type, code]
    openai_429 => ['openai', { status => 429, %{ openai('Rate limit reached',
        'requests', undef, 'rate_limit_exceeded') }, headers => [
        ['Retry-After', '7'], ['x-request-id', 'req-9'],
        ['x-ratelimit-remaining-tokens', '0'],
        ['x-ratelimit-reset-tokens', '6m0s'], ['Set-Cookie', 'a=b']] },
        429, qr/^Rate limit reached$/, 'requests', 'rate_limit_exceeded'],
    openai_400 => ['openai', { status => 400, %{ openai('bad param',
        'invalid_request_error', 'messages', undef) } },
        400, qr/^bad param$/, 'invalid_request_error', undef],
    openai_401 => ['openai', { status => 401, %{ openai('no key',
        'invalid_request_error', undef, 'invalid_api_key') } },
        401, qr/^no key$/, undef, 'invalid_api_key'],
    openai_404 => ['openai', { status => 404, %{ openai('no such model',
        'invalid_request_error', undef, 'model_not_found') } },
        404, qr/^no such model$/, undef, 'model_not_found'],
    openai_500 => ['openai', { status => 500, %{ openai('boom',
        'server_error', undef, undef) } }, 500, qr/^boom$/, 'server_error'],
    html_503 => ['openai', { status => 503, body => '<html>busy</html>',
        headers => [['Content-Type', 'text/html']] }, 503, undef],
    empty_500 => ['openai', { status => 500, body => '' }, 500, undef],
    string_422 => ['mistral', { status => 422, json => {
        object => 'error', message => { detail => [{ msg => 'field' }] },
        type => 'invalid_request_error' } }, 422, undef],
    detail_404 => ['vllm', { status => 404, json => { detail =>
        'Not Found' } }, 404, qr/Not Found/],
    plain_400 => ['ollama', { status => 400, json => { error =>
        'model is required' } }, 400, qr/model is required/],
    claude_529 => ['claude', { status => 529, json => { type => 'error',
        error => { type => 'overloaded_error', message => 'Overloaded' } } },
        529, qr/^Overloaded$/, 'overloaded_error'],
    claude_400 => ['claude', { status => 400, headers => [
        ['request-id', 'req_claude'], ['retry-after', '3'],
        ['anthropic-ratelimit-requests-remaining', '5']],
        json => { type => 'error', error => {
        type => 'invalid_request_error', message => 'max_tokens: too big' } } },
        400, qr/^max_tokens: too big$/, 'invalid_request_error'],
    gemini_429 => ['gemini', { status => 429, json => { error => {
        code => 429, message => 'Quota exceeded',
        status => 'RESOURCE_EXHAUSTED' } } }, 429, qr/^Quota exceeded$/],
    qwen_400 => ['qwen', { status => 400, json => { code => 'InvalidParameter',
        message => 'url error', request_id => 'q' } }, 400, qr/^url error$/],
    big_500 => ['openai', { status => 500, body => 'x' x 300_000 }, 500,
        undef],
    redirect => ['openai', { status => 302, body => '', headers =>
        [['Location', 'http://elsewhere.example/']] }, 502, undef],
);

my $up = Upstream->start(map { $_ => $case{$_}[1] } keys %case);
my @names = sort keys %case;
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => $case{$_}[0] =>
        $up->url($_), $_ eq 'qwen_400' ? 'qwen_enable_compatible off;' : (),
        $case{$_}[0] eq 'ollama' ? () : ()) } @names)
        . "log_format e '\$ai_proxy_provider \$status \$ai_proxy_error';\n",
    access_log => '', server => "access_log %%DIR%%/logs/access.log e;\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

my (%reply, $count);
for my $name (@names) {
    my (undef, undef, $status, $message, $type, $code) = @{ $case{$name} };
    for my $stream (0, 1) {
        my $reply = $gw->client->post("/$name/v1/chat/completions",
            chat_body($stream ? (stream => JSON::PP::true) : ()));
        my $what = "$name, " . ($stream ? 'streamed' : 'plain');
        my $error = check_error($reply, $status, $message, $what);
        is($error->{type}, $type, "$what: type") if defined $type;
        is($error->{code}, $code, "$what: code") if defined $code;
        like($error->{message} // '', qr/\S/, "$what: some message");
        $reply{$name} = $reply;
        my @lines = $gw->log_lines('access.log', ++$count);
        like($lines[-1], qr/^$name $status upstream_\w+$/, "$what: log");
    }
}

my $reply = $reply{openai_429};
is(Client::header($reply, 'Retry-After'), '7', 'Retry-After goes on');
is(Client::header($reply, 'x-request-id'), 'req-9', 'x-request-id');
is(Client::header($reply, 'x-ratelimit-remaining-tokens'), '0',
    'rate-limit fields');
is(Client::header($reply, 'Set-Cookie'), undef, 'no cookie');
is(Client::json($reply{openai_400})->{error}{param}, 'messages',
    'param is kept');
is(Client::header($reply{claude_400}, 'Retry-After'), '3',
    'Retry-After of a converted answer');
is(Client::header($reply{claude_400},
    'anthropic-ratelimit-requests-remaining'), '5',
    'rate-limit fields of a converted answer');
cmp_ok(length $reply{big_500}{body}, '<', 100_000,
    'an endless error body is bounded');

# What the gateway itself finds wrong is OpenAI's shape too.

$reply = $gw->client->get('/openai_429/v1/chat/completions');
is($reply->{status} >= 400 && $reply->{status} < 500, 1,
    'GET on chat is a client error');
like(Client::header($reply, 'Content-Type'), qr{application/json},
    'in JSON');

done($gw, $up);

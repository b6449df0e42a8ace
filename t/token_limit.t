#!/usr/bin/perl

# Budgets of tokens: who is turned away, what is charged, what all workers and
# a reload know of it.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Budgets;
use Test::More;

needs_module();

# An answer uses 11 + 4 tokens; the texts that are asked here are estimated at
# less than 20.
my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    claude => { events => claude_events('one two three') },
    broken => { status => 500, json => { error => { message => 'boom' } } },
    uncounted => { json => do { my $a = chat_answer('one ' x 40);
        delete $a->{usage}; $a } },
    unclear => { events => stream_events('one ' x 40, no_usage => 1) },
    gate => { events => stream_events('one two three'), gate => 1 },
    long => overrun(),
    late => { json => chat_answer('hello'), delay => 20 },
    own => { json => chat_answer('hello'), headers => [
        ['x-ratelimit-remaining-tokens', '999'], ['x-request-id', 'r-1']] });

my $limit = 'ai_proxy_token_limit';
my %places = (
    plain => "$limit key=\$http_x_user rate=100/m;",
    stream => "$limit key=\$http_x_user rate=101/m;",
    claude => "$limit key=\$http_x_user rate=102/m;",
    broken => "$limit key=\$http_x_user rate=103/m;",
    gate => "$limit key=\$http_x_user rate=104/m reserve=off;",
    own => "$limit key=\$http_x_user rate=105/m;",
    uncounted => "$limit key=\$http_x_user rate=106/m;",
    unclear => "$limit key=\$http_x_user rate=107/m;",
    long => "$limit key=\$http_x_user rate=500/h;",
    late => "$limit key=\$http_x_user rate=108/m;",
);
my $gw = Gateway->start(workers => 2,
    http => "ai_proxy_zone ai 1m;\n"
        . "log_format l '\$uri \$status \$ai_proxy_limit_status "
        . "\$ai_proxy_error \$ai_proxy_log';\n"
        . join('', map { provider($_ => $_ eq 'claude' ? 'claude' : 'openai',
            $up->url($_)) } sort keys %places),
    access_log => '',
    server => 'access_log %%DIR%%/logs/access.log l;' . join('', map { "location /$_/ { ai_proxy_pass $_; "
        . "$places{$_} }\n" } sort keys %places)
        . <<"EOF");
location /two/ {
    ai_proxy_pass plain;
    $limit key=\$http_x_user rate=200/h count=input name=two;
    $limit key=\$http_x_user rate=50/m  count=output name=two;
}
location /quiet/ { ai_proxy_pass plain; $limit key=\$http_x_user rate=1/d mode=log; }
location /model/ { ai_proxy_pass plain; $limit key=\$ai_proxy_request_model rate=60/m; }
location /big/ { ai_proxy_pass plain; $limit key=all rate=1M/m; }
location /busy/ { ai_proxy_pass plain; $limit key=\$http_x_user rate=3000/h; }
location /fixed/ { ai_proxy_pass plain; $limit key=\$http_x_user rate=3000/d algorithm=fixed; }
location /status { ai_proxy_status; }
EOF

my $reply = ask($gw, plain => 'ann', max_tokens => 40);
is($reply->{status}, 200, 'a request within the budget passes');
is(Client::header($reply, 'x-ratelimit-limit-tokens'), '100', 'the limit');
is(left($reply), 85, 'the rest, once the answer is counted');
like(Client::header($reply, 'x-ratelimit-reset-tokens'), qr/^(?:1m)?\d+s$/,
    'and when it is whole again');

# 15 were used, 85 are left.
$reply = ask($gw, plain => 'ann', max_tokens => 90);
check_error($reply, 429, qr/100 tokens per minute, 15 used, \d+ requested; /
    . qr/try again in/, 'one that might need more is turned away');
is(decode($reply->{body})->{error}{code}, 'rate_limit_exceeded', 'its code');
is(decode($reply->{body})->{error}{type}, 'tokens', 'its type');
like(Client::header($reply, 'Retry-After'), qr/^[1-9]\d?$/, 'Retry-After');
is(left($reply), 85, 'what is left');
is(ask($gw, plain => 'bob', max_tokens => 80)->{status}, 200,
    'another key has a budget of its own');
is(ask($gw, plain => '', max_tokens => 500)->{status}, 200,
    'no key, no limit');

$reply = $gw->client->post('/plain/v1/messages', encode({ model => 'm',
    max_tokens => 99, messages => [{ role => 'user', content => 'hello' }] }),
    headers => { 'X-User' => 'ann' });
is($reply->{status}, 429, 'a caller of Messages');
is(decode($reply->{body})->{error}{type}, 'rate_limit_error', 'its error');
$reply = $gw->client->post('/plain/v1beta/models/m:generateContent', encode({
    contents => [{ parts => [{ text => 'hello' }] }],
    generationConfig => { maxOutputTokens => 99 } }),
    headers => { 'X-User' => 'ann' });
is($reply->{status}, 429, 'a caller of Gemini');
is(decode($reply->{body})->{error}{status}, 'RESOURCE_EXHAUSTED', 'its error');

$reply = ask($gw, plain => 'ann', max_tokens => 1000);
check_error($reply, 429, qr/the request is too large/, 'what can never pass');
is(Client::header($reply, 'Retry-After'), undef, 'is not told to come again');

# What is charged.

my %yes = (stream => \1);
check_stream(ask($gw, stream => 'ann', %yes), 'one two three', 'a stream');
charged($gw, stream => 'ann', 101, 15, 'is charged its usage');
check_stream(ask($gw, claude => 'ann', %yes, max_tokens => 70), 'one two three',
    'a converted stream');
charged($gw, claude => 'ann', 102, 15, 'is charged its usage');
is(ask($gw, broken => 'ann', max_tokens => 60)->{status}, 500, 'a failure');
charged($gw, broken => 'ann', 103, 0, 'costs nothing');

# An answer of 40 words that its provider has not counted.
is(ask($gw, uncounted => 'ann')->{status}, 200, 'an answer without usage');
my $used = spent($gw, uncounted => 'ann', 106);
ok($used >= 42 && $used <= 60, 'is charged an estimate') or diag $used;
is(ask($gw, unclear => 'ann', %yes)->{status}, 200, 'and a stream without');
$gw->until(sub { ($used = spent($gw, unclear => 'ann', 107)) >= 42 }, 20);
ok($used >= 42 && $used <= 60, 'too') or diag $used;
my @estimated = grep { m{^/unc.* 200 .*usage_source\\x22:\\x22estimated} }
    $gw->log_lines('access.log');
is(scalar @estimated, 2, 'the log says so');

my $client = $gw->client->send('POST', '/gate/v1/chat/completions',
    chat_body(%yes), headers => { 'X-User' => 'ann' });
$client->wait(sub { $_[0]{body} =~ /one/ }, 20);
$client->close;
$up->wait_outcome('gate', 'client_closed', 20);
$gw->until(sub { ($used = spent($gw, gate => 'ann', 104)) < 25 });
cmp_ok($used, '>=', 4, 'a stream whose client left is charged an estimate');

$client = $gw->client->send('POST', '/late/v1/chat/completions',
    chat_body(max_tokens => 50), headers => { 'X-User' => 'ann' });
$gw->until(sub { $up->requests('late') });
$client->close;
$gw->until(sub { ($used = spent($gw, late => 'ann', 108)) < 25 }, 20);
ok($used >= 4 && $used < 25, 'so is one whose client left before any of it')
    or diag $used;

$reply = ask($gw, own => 'ann');
is(left($reply) + 0, left($reply), 'one field');
is(scalar(my @all = Client::header($reply, 'x-ratelimit-remaining-tokens')), 1,
    "the gateway's own stands in the place of the provider's");
is(Client::header($reply, 'x-request-id'), 'r-1', 'others pass');

# Several rules; a model as the key; mode=log.

is(ask($gw, two => 'ann', max_tokens => 46)->{status}, 200, 'two rules: passes');
$reply = ask($gw, two => 'ann', max_tokens => 47);
is($reply->{status}, 429, 'two rules: the second refuses');
is(Client::header($reply, 'x-ratelimit-limit-tokens'), '50', 'and tells');
$reply = ask($gw, two => 'ann', max_tokens => 46);
is($reply->{status}, 200, 'the first was given back what it had granted');

is(ask($gw, model => 'ann', model => 'a', max_tokens => 40)->{status}, 200,
    'a model as the key');
is(ask($gw, model => 'ann', model => 'a', max_tokens => 44)->{status}, 429,
    'is spent');
is(ask($gw, model => 'ann', model => 'b', max_tokens => 40)->{status}, 200,
    'another model is not');

is(ask($gw, quiet => 'ann')->{status}, 200, 'mode=log turns nobody away');
my @lines;
$gw->until(sub { @lines = grep { m{^/quiet/} } $gw->log_lines('access.log') });
like($lines[-1], qr/ 200 logged - /, 'but is in the log');
like($lines[-1], qr/limit_status\\x22:\\x22logged/, 'and in the JSON');
@lines = grep { m{^/plain/v1/chat} } $gw->log_lines('access.log');
# Two workers write it.
ok((grep { /200 passed -/ } @lines), 'passed');
ok((grep { /429 rejected token_limit/ } @lines), 'rejected');

isnt($gw->client->get('/plain/v1/models', headers => { 'X-User' => 'ann' })
    ->{status}, 429, 'what uses no tokens is not limited');

###############################################################################
# Many at once in two workers.

my $busy = check_crowd([$gw], busy => 3000, 'sliding');
check_crowd([$gw], fixed => 3000, 'fixed');
check_overrun([$gw], $up, long => 500, 'long answers');

ok($gw->reload, 'a reload');
is(spent($gw, busy => 'crowd', 3000), $busy, 'forgets nothing');

###############################################################################
# More keys than the zone has room for: the oldest make room.

my @keys = map { "user-$_" } 1 .. 4000;
while (my @some = splice @keys, 0, 100) {
    my @clients = map { $gw->client->send('POST',
        '/plain/v1/chat/completions', chat_body(max_tokens => 20),
        headers => { 'X-User' => $_ }) } @some;
    Client::finish_all(30, @clients);
    my @wrong = grep { $_->{reply}{status} != 200 } @clients;
    last if @wrong && fail('a new key is served: ' . $wrong[0]{reply}{status});
}
charged($gw, plain => 'user-4000', 100, 15, 'the newest are remembered');
charged($gw, plain => 'user-1', 100, 0, 'the oldest are forgotten');
my @warnings = grep { /room/ } split /\n/, $gw->error_log;
cmp_ok(scalar @warnings, '<=', 4, 'and the log is not full of it');

done($gw, $up);

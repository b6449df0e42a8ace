#!/usr/bin/perl

# Consumers and their keys: where clients put them, who is refused and how, and
# that a key of ours never reaches a provider, a log or another client.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    ok => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    claude => { json => claude_answer('hello') },
    list => { json => { object => 'list', data => [map { { id => $_,
        object => 'model', created => 1, owned_by => 'them' } }
        qw(gpt-4o gpt-5 claude-x)] } },
    echo => { echo => 1 },
);
my $url = $up->url('ok');
my $file = File::Temp->new;
print $file "sk-secret-bob-file\n";
close $file;
chmod 0600, "$file";

my $http = zone()
    . provider(own => openai => $url)
    . provider(claude => claude => $up->url('claude'))
    . provider(gemini => gemini => $up->url('ok'))
    . provider(stream => openai => $up->url('stream'))
    . provider(list => openai => $up->url('list'))
    . provider(named => openai => $up->url('list'), 'models gpt-4o gpt-5;')
    . provider(open => openai => $url, 'api_token none;')
        =~ s/\s*api_token none;//r
    . provider(none => openai => $url, 'api_token none;')
    . <<"EOT";
ai_proxy_consumer alice { key env:AI_PROXY_TEST_ALICE; key sk-secret-alice-2; }
ai_proxy_consumer bob { key file:$file; models gpt-4o* nick; }
ai_proxy_consumer carol { key sk-secret-carol; }
log_format all escape=none '\$status|\$ai_proxy_consumer|\$ai_proxy_error|\$ai_proxy_log';
ai_proxy_model_map nick gpt-4o;
ai_proxy_route two { match gpt-*; provider own; }
EOT
my @names = qw(own claude gemini stream list named open none two);
my $gw = Gateway->start(
    http => $http, env => { AI_PROXY_TEST_ALICE => 'sk-secret-alice-1' },
    access_log => '',
    server => <<'EOT' . join('', map {
access_log %%DIR%%/logs/access.log all;
access_log %%DIR%%/logs/line.log combined;
ai_proxy_auth key;
EOT
        "location /$_/ { ai_proxy_pass $_; }\n" } @names) . <<"EOT");
location /some/ { ai_proxy_pass own; ai_proxy_consumers alice bob; }
location /free/ { ai_proxy_pass own; ai_proxy_auth off; }
location /places/ { ai_proxy_pass open;
    ai_proxy_auth key header=X-Team-Key query=team cookie=team realm=teams; }
location /relayed/ { ai_proxy_models relayed; ai_proxy_pass list; }
location /any/ { satisfy any; allow 127.0.0.1; deny all; ai_proxy_pass own; }
location /anynot/ { satisfy any; deny all; ai_proxy_pass own; }
location /denied/ { deny all; ai_proxy_pass own; }
location /asked/ { auth_request /yes; ai_proxy_pass own; }
location /askedno/ { auth_request /no; ai_proxy_pass own; }
location = /yes { internal; ai_proxy_auth off; return 204; }
location = /no { internal; ai_proxy_auth off; return 403; }
location /page/ { error_page 401 /login; ai_proxy_pass own; }
location = /login { ai_proxy_auth off; return 200 "log in\\n"; }
location /moved/ { deny all; error_page 403 = /own/v1/chat/completions;
    ai_proxy_pass own; }
location /either/ { satisfy any; allow 127.0.0.1;
    proxy_pass @{[ $up->url('echo') ]}/; }
location /proxied/ { proxy_set_header X-Mse-Consumer \$ai_proxy_consumer;
    proxy_set_header Authorization "";
    proxy_pass @{[ $up->url('echo') ]}/; }
location /one/ { ai_proxy_concurrency \$ai_proxy_consumer limit=1;
    ai_proxy_pass stream; }
location = /metrics { ai_proxy_auth off; ai_proxy_metrics; }
location = /status { ai_proxy_auth off; ai_proxy_status; }
EOT

my $chat = 'v1/chat/completions';
my ($alice, $bob) = ('sk-secret-alice-1', 'sk-secret-bob-file');

sub call {
    my ($path, $headers, %fields) = @_;
    return $gw->client->post($path =~ /\?|:/ || $path =~ /messages/ ? $path
        : "$path/$chat", chat_body(%fields), headers => $headers);
}
sub bearer { return { Authorization => "Bearer $_[0]" } }
sub seen { return $up->last_request($_[0] // 'ok') }

# Each place, and what becomes of it on the way.

for my $case (
    ['Authorization', bearer($alice)],
    ['any case of bearer', { Authorization => "bearer  $alice" }],
    ['the bare key', { Authorization => $alice }],
    ['x-api-key', { 'x-api-key' => $alice }],
    ['api-key', { 'API-Key' => $alice }],
    ['x-goog-api-key', { 'X-Goog-Api-Key' => $alice }],
    ['the second key', bearer('sk-secret-alice-2')],
    ['the same key twice', { Authorization => "Bearer $alice",
        'x-api-key' => $alice }],
) {
    my ($name, $headers) = @$case;
    for my $provider (qw(own open none)) {
        my $reply = call("/$provider", $headers);
        is($reply->{status}, 200, "$name: $provider answers")
            or diag($reply->{raw});
        my $sent = encode(seen());
        unlike($sent, qr/sk-secret-alice/, 'the key ends at the gateway');
    }
}
is(Upstream::header(seen(), 'Authorization'), undef,
    'nothing stands in its place');

my $reply = $gw->client->post(
    "/gemini/v1beta/models/gemini-x:generateContent?alt=json&key=$alice",
    '{"contents":[{"parts":[{"text":"private-prompt"}]}]}');
is($reply->{status}, 200, "the query of Google's clients") or diag($reply->{raw});
unlike(encode(seen()), qr/sk-secret-alice/, 'ends here too');
is(call('/own', {})->{status}, 401, 'no key');
is(call("/own/$chat?key=$alice", {})->{status}, 401,
    'a query is for those that have no better place');

# Words of refusals.

$reply = call('/own', {});
my $error = check_error($reply, 401, qr/no API key/, 'nobody');
is($error->{type}, 'invalid_request_error', 'its type');
is($error->{code}, 'no_credential', 'its code');
is(Client::header($reply, 'WWW-Authenticate'),
    'Bearer realm="nginx AI proxy"', 'and what is wanted');
$reply = call('/own', bearer('sk-wrong'));
$error = check_error($reply, 401, qr/not known/, 'somebody else');
is($error->{code}, 'invalid_api_key', "OpenAI's code");
is(Client::header($reply, 'WWW-Authenticate'),
    'Bearer realm="nginx AI proxy", error="invalid_token"', 'the challenge');
check_error(call('/own', bearer(substr $alice, 0, -1)), 401, qr/not known/,
    'all but the last character');
check_error(call('/own', bearer($alice . 'x')), 401, qr/not known/,
    'one more');
check_error(call('/own', bearer('Bearer')), 401, undef, 'no key at all');
check_error(call('/own', { Authorization => 'Basic YTpi' }), 401,
    qr/not known/, 'another scheme');
check_error(call('/own', { Authorization => "Bearer $alice",
    'x-api-key' => $bob }), 401, qr/more than one/, 'two people at once');
check_error(call('/some', bearer('sk-secret-carol')), 403,
    qr/may not use/, 'known, but not here');
is(call('/some', bearer($alice))->{status}, 200, 'the others may');

$reply = call('/own/v1/messages', {});
is($reply->{status}, 401, "Anthropic's dialect");
is_deeply([Client::json($reply)->{type}, Client::json($reply)->{error}{type}],
    ['error', 'authentication_error'], 'has its shape');
$reply = $gw->client->post('/own/v1beta/models/g:generateContent', '{}');
is(Client::json($reply)->{error}{status}, 'UNAUTHENTICATED', "and Gemini's");
$reply = $gw->client->get('/own/v1/models',
    headers => { 'anthropic-version' => '2023-06-01' });
is(Client::json($reply)->{type}, 'error',
    'a list is refused in the words of who asks');

# Nothing of the body is read from somebody unknown.
my $client = $gw->client;
$client->send('POST', "/own/$chat", '', headers => {
    'Content-Length' => 1000, 'Content-Type' => 'application/json' });
is($client->finish->{status}, 401, 'the answer comes before the body');
$client->close;

# Other modules.

is(call('/free', {})->{status}, 200, 'off lets everybody in');
is(call('/any', {})->{status}, 200, 'satisfy any: the address is enough');
is(call('/any', bearer($alice))->{status}, 200, 'or a key');
is(call('/anynot', {})->{status}, 401, 'satisfy any: neither');
is(call('/anynot', bearer($alice))->{status}, 200, 'satisfy any: the key');
is(call('/denied', bearer($alice))->{status}, 403, 'deny holds too');
is(call('/asked', bearer($alice))->{status}, 200, 'auth_request too');
is(call('/asked', {})->{status}, 401, 'both are asked');
is(call('/askedno', bearer($alice))->{status}, 403, 'and both hold');
is(call('/page', {})->{body}, "log in\n", "an error page of one's own");
is(call('/moved', bearer($alice))->{status}, 200,
    'who is known stays known after an internal redirect');
$reply = $gw->client->get('/proxied/x', headers => {
    Authorization => "Bearer $alice", 'X-Mse-Consumer' => 'carol' });
is(Upstream::header(seen('echo'), 'X-Mse-Consumer'), 'alice',
    'another module may tell who it is');

$gw->client->get('/either/x');

# A name that a client gives itself is worth nothing.
call('/free', { 'x-mse-consumer' => 'alice', 'X-Other' => 'kept' });
is(Upstream::header(seen(), 'X-Mse-Consumer'), undef,
    "a client's own name ends here");
is(Upstream::header(seen(), 'X-Other'), 'kept', 'other fields go on');

# Places of one's own.

is(call('/places', bearer($alice))->{status}, 401, 'no other place counts');
for my $case (
    ['a header', { 'x-team-key' => $alice }, ''],
    ['a query', {}, "?a=1&team=$alice&b=2"],
    ['an encoded query', {}, '?team=' . ($alice =~ s/-/%2d/gr)],
    ['a cookie', { Cookie => "x=y; team=$alice" }, ''],
) {
    my ($name, $headers, $query) = @$case;
    $reply = $gw->client->post("/places/$chat$query", chat_body(),
        headers => { %$headers, Authorization => 'Bearer client-of-theirs' });
    is($reply->{status}, 200, "$name of one's own") or diag($reply->{raw});
    unlike(encode(seen()), qr/alice/, 'ends here');
    is(Upstream::header(seen(), 'Authorization'), 'Bearer client-of-theirs',
        'and what is the provider\'s goes on');
}
$reply = call('/places', {});
is(Client::header($reply, 'WWW-Authenticate'), 'Bearer realm="teams"',
    'a realm of its own');

# Models.

is(call('/own', bearer($bob), model => 'gpt-4o-mini')->{status}, 200,
    'a model that he may use');
is(call('/own', bearer($bob), model => 'nick')->{status}, 200,
    'by the name that he gave');
$error = check_error(call('/own', bearer($bob), model => 'gpt-5'), 404,
    qr/`gpt-5` does not exist or you do not have access/, 'another one');
is($error->{code}, 'model_not_found', "in OpenAI's words");
is($error->{param}, 'model', 'and place');
check_error(call('/own', bearer($bob), models => ['gpt-4o', 'gpt-5'],
    model => 'gpt-4o'), 404, qr/gpt-5/, 'not by a list of others either');
check_error(call('/own/v1/other?x', bearer($bob)), 403, qr/cannot be told/,
    'nor by calls whose model nobody sees');
check_error($gw->client->post("/own/$chat",
    '{"messages":[{"role":"user","content":"hi"}]}', headers => bearer($bob)), 400, qr/model/, 'nor by naming none');
$reply = $gw->client->post('/gemini/v1beta/models/gpt-5:generateContent',
    '{"contents":[]}', headers => bearer($bob));
is(Client::json($reply)->{error}{status}, 'NOT_FOUND', "nor in Gemini's path");
is(call('/own', bearer($alice), model => 'gpt-5')->{status}, 200,
    'who has no list may use all');

sub models {
    my ($path, $key) = @_;
    my $list = Client::json($gw->client->get("$path/v1/models",
        headers => bearer($key)));
    return join ' ', sort map { $_->{id} } @{ $list->{data} // [] };
}
is(models('/named', $alice), 'gpt-4o gpt-5 nick', 'the list for who may use all');
is(models('/named', $bob), 'gpt-4o nick', 'and for who may not');
is(models('/relayed', $alice), 'claude-x gpt-4o gpt-5', 'a relayed list');
is(models('/relayed', $bob), 'gpt-4o nick', 'is no way around');
is($gw->client->get('/named/v1/models/gpt-5', headers => bearer($bob))
    ->{status}, 404, 'nor is a single one');
is($gw->client->get('/named/v1/models/gpt-4o', headers => bearer($bob))
    ->{status}, 200, 'that he may use');

# Streams; and one consumer's share of the places.

check_stream(call('/stream', bearer($alice), stream => JSON::PP::true),
    'one two three', 'a stream');
$up->behave(stream => { events => stream_events('one two'), gate => 1 });
my $first = $gw->client;
$first->send('POST', "/one/$chat", chat_body(stream => JSON::PP::true),
    headers => bearer($alice));
$first->wait(sub { $_[0]{body} =~ /one/ });
is(call('/one', bearer($alice))->{status}, 429, 'no second one for alice');
my $other = $gw->client;
$other->send('POST', "/one/$chat", chat_body(stream => JSON::PP::true),
    headers => bearer('sk-secret-carol'));
ok($other->wait(sub { $_[0]{body} =~ /one/ })->{status} == 200,
    'but one for carol');
$up->open_gate('stream') for 1, 2;
$_->finish for $first, $other;

# The books.

my @lines = map { [split /\|/, $_, 4] } $gw->log_lines('access.log', 60);
my ($good) = grep { $_->[1] eq 'alice' && $_->[0] == 200 } @lines;
is(decode($good->[3])->{consumer}, 'alice', 'the log says who it was');
my ($bad) = grep { $_->[2] eq 'invalid_credential' } @lines;
is($bad->[0], 401, 'and why not');
is_deeply(decode($bad->[3]), { api => 'openai/v1/chatcompletions',
    status => 401, error => 'invalid_credential' }, 'as JSON too');
ok((grep { join('|', @$_) eq '200|||' } @lines),
    'who is let in otherwise is not refused');
for my $code (qw(no_credential consumer_forbidden model_forbidden)) {
    ok((scalar grep { $_->[2] eq $code } @lines), "$code is told");
}
my $metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_errors_total\{route="none",provider="none",
    model="none",cause="no_credential"\}\ [1-9]/mx, 'metrics count refusals');
like($metrics, qr/^ai_proxy_consumer_requests_total\{consumer="alice"\} \d\d/m,
    'and the requests of each');
like($metrics, qr/^ai_proxy_consumer_tokens_total\{consumer="alice",
    kind="prompt"\}\ [1-9]/mx, 'and their tokens');
like($metrics, qr/^ai_proxy_consumer_errors_total\{consumer="bob"\} [1-9]/m,
    'and what went wrong');
my $status = Client::json($gw->client->get('/status'));
is(join(' ', sort map { $_->{consumer} } @{ $status->{consumers} }),
    'alice bob carol', 'the status too');

# Keys change with a reload, sessions of others do not.

$gw->configure(http => $http =~ s/key sk-secret-carol/key sk-secret-dora/r);
$gw->reload;
is(call('/own', bearer('sk-secret-carol'))->{status}, 401,
    'a key that was taken away');
is(call('/own', bearer('sk-secret-dora'))->{status}, 200, 'a new one');
like($gw->client->get('/metrics')->{body},
    qr/^ai_proxy_consumer_requests_total\{consumer="alice"\} \d\d/m,
    'numbers survive it');

done($gw, $up);

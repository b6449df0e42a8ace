#!/usr/bin/perl

# Lists of models: what the configuration names, what providers add, in the
# words of the client, kept for a while; a provider that fails is left out.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

sub openai_list { return { json => { object => 'list', data => [map { {
    id => $_, object => 'model', created => 1700000000, owned_by => 'them' } }
    @_] } } }

my $up = Upstream->start(
    one => openai_list('gpt-4o', 'gpt-5', 'other', 'gpt mini'),
    claude => { json => { data => [{ type => 'model', id => 'claude-x',
        display_name => 'Claude X', created_at => '2025-01-01T00:00:00Z' }],
        has_more => \0 } },
    gemini => { json => { models => [{ name => 'models/gemini-y',
        displayName => 'Gemini Y' }] } },
    failing => { status => 500, json => { error => { message => 'no' } } },
    nonsense => { body => 'no json',
        headers => [['Content-Type', 'application/json']] },
    array => { json => [{ id => 'bare' }] },
    stall => { fail => 'stall' },
    short => openai_list('s-1'),
    private => openai_list('gpt-own'),
    flaky => [openai_list('f-1'), { status => 503, json => {} }],
    mapped => openai_list('m-1', 'm-2'),
);
my $http = zone()
    . provider(one => openai => $up->url('one'), 'models gpt-4o-mini;',
        'model_map best gpt-5;', 'model_map gpt-3* gpt-4o;')
    . provider(claude => claude => $up->url('claude'))
    . provider(gemini => gemini => $up->url('gemini'))
    . join('', map { provider($_ => openai => $up->url($_)) }
        qw(failing nonsense array short flaky))
    . provider(stall => openai => $up->url('stall'),
        'timeout total=1s;')
    . provider(fixed => openai => $up->url('mapped'), 'model_map * m-1;')
    . provider(mapped => openai => $up->url('mapped'))
    . provider(private => openai => $up->url('private'), 'api_token none;')
        =~ s/\s*api_token none;//r
    . <<'EOF';
ai_proxy_route gpt { match gpt-* best exact-1; model_map exact-2 gpt-5;
    provider one; }
ai_proxy_route claudes { match claude-*; provider claude; }
ai_proxy_route geminis { match gemini-*; provider gemini; }
ai_proxy_route broken { match f-* gpt-*; provider failing; provider nonsense;
    provider stall; provider short; provider flaky; }
EOF
my $gw = Gateway->start(http => $http, server => <<'EOF');
location /own/ { ai_proxy_model_map nick gpt-4o; ai_proxy_model_map lost zzz;
    ai_proxy_pass gpt claudes; }
location /all/ { ai_proxy_models merged; ai_proxy_pass gpt claudes geminis; }
location /broken/ { ai_proxy_models merged valid=1s; ai_proxy_pass broken; }
location /flaky/ { ai_proxy_models merged valid=1s; ai_proxy_pass flaky; }
location /array/ { ai_proxy_models merged; ai_proxy_pass array; }
location /fixed/ { ai_proxy_models merged; ai_proxy_pass fixed; }
location /mapped/ { ai_proxy_models merged valid=1h; ai_proxy_pass mapped; }
location /private/ { ai_proxy_models merged; ai_proxy_pass private; }
location /relayed/ { ai_proxy_models relayed; ai_proxy_pass gpt; }
location /nameless/ { ai_proxy_pass short; }
EOF

sub ids { return join ' ', map { $_->{id} } @{ Client::json($_[0])->{data} } }
sub asked { return scalar(my @all = $up->requests($_[0])) }

###############################################################################
# From the configuration, without asking anybody

my $reply = $gw->client->get('/own/v1/models');
is($reply->{status}, 200, 'a list of our own');
is(ids($reply), 'nick best exact-1 gpt-4o-mini',
    'has the names that clients may ask for') or diag $reply->{body};
is(asked('one'), 0, 'the provider is not asked');
my $first = Client::json($reply)->{data}[0];
is_deeply($first, { id => 'nick', object => 'model', created => 0,
    owned_by => 'one' }, 'in the shape of OpenAI');
is(Client::json($reply)->{object}, 'list', 'as a list');
is(Client::json($gw->client->get('/own/v1/models/best'))->{id}, 'best',
    'one of them');
$gw->client->get('/own/v1/models/gpt-unnamed');
is($up->last_request('one')->{path}, '/v1/models/gpt-unnamed',
    'of another one the provider is asked');
$reply = $gw->client->request('HEAD', '/own/v1/models', undef);
is("$reply->{status} $reply->{body}", '200 ', 'HEAD');
$up->clear;

# The same for clients of Anthropic and of Google

$reply = $gw->client->get('/own/v1/models',
    headers => { 'anthropic-version' => '2023-06-01' });
my $list = Client::json($reply);
is_deeply($list->{data}[0], { type => 'model', id => 'nick',
    display_name => 'nick', created_at => '1970-01-01T00:00:00Z' },
    'in the shape of Anthropic');
is_deeply([@$list{qw(has_more first_id last_id)}],
    [JSON::PP::false(), 'nick', 'gpt-4o-mini'], 'as a page');
$reply = $gw->client->get('/own/v1beta/models?key=client-key');
is_deeply(Client::json($reply)->{models}[0], { name => 'models/nick',
    displayName => 'nick', supportedGenerationMethods =>
    ['generateContent', 'countTokens'] }, 'in the shape of Gemini');
$reply = $gw->client->get('/own/v1beta/models/best');
is(Client::json($reply)->{name}, 'models/best', 'one of them');

# Merged with what the providers have

$reply = $gw->client->get('/all/v1/models');
is(ids($reply), 'best exact-1 gpt-4o-mini gpt-4o gpt-5 claude-x gemini-y',
    'merged: what routes lead to') or diag $reply->{body};
is(Client::json($reply)->{data}[3]{owned_by}, 'them', 'with its owner');
is(Client::json($reply)->{data}[3]{created}, 1700000000, 'and its time');
is($up->last_request('claude')->{path}, '/v1/models?limit=1000', 'claude');
is($up->last_request('gemini')->{path}, '/v1beta/models?pageSize=1000',
    'gemini');
is(Upstream::header($up->last_request('one'), 'Authorization'),
    'Bearer sk-secret-one', 'with the key');
$gw->client->get('/all/v1/models') for 1 .. 3;
is(asked('one'), 1, 'and kept');
$reply = $gw->client->get('/all/v1/models/claude-x',
    headers => { 'anthropic-version' => '2023-06-01' });
is(Client::json($reply)->{display_name}, 'Claude X', 'a title');
$reply = $gw->client->get('/all/v1/models/nobody');
check_error($reply, 404, qr/nobody/, 'one that nobody has');
is(Client::json($reply)->{error}{code}, 'model_not_found', 'with its code');
$reply = $gw->client->get('/all/v1beta/models/nobody');
is(Client::json($reply)->{error}{status}, 'NOT_FOUND', 'in words of Gemini');

is(ids($gw->client->get('/array/v1/models')), 'bare', 'a bare array');
is(ids($gw->client->get('/fixed/v1/models')), 'm-1',
    'a model that is mapped away is not listed');
is(ids($gw->client->get('/mapped/v1/models')), 'm-1 m-2', 'others are');

# Failures are left out and logged, the list still comes

my $began = Client::now();
$reply = $gw->client->get('/broken/v1/models');
is($reply->{status}, 200, 'providers fail');
is(ids($reply), 'f-1', 'and are left out') or diag $reply->{body};
cmp_ok(Client::now() - $began, '<', 9, 'none holds it up for long');
like($gw->error_log, qr/provider "failing" failed: upstream_status, status 500/,
    'a line in the log');
like($gw->error_log, qr/provider "stall" failed: timeout_total/, 'another');
my $before = asked('failing');
$gw->client->get('/broken/v1/models');
is(asked('failing'), $before, 'nor asked again at once');

# What is old is asked for anew; what was known is better than nothing

is(ids($gw->client->get('/flaky/v1/models')), 'f-1', 'known');
select undef, undef, undef, 2.1;
is(ids($gw->client->get('/flaky/v1/models')), 'f-1', 'kept in need');
is(asked('flaky'), 2, 'though asked again');

# Without a key of the gateway each client gets its own list

for my $key ('key-a', 'key-b') {
    $gw->client->get('/private/v1/models',
        headers => { Authorization => "Bearer $key" });
    is(Upstream::header($up->last_request('private'), 'Authorization'),
        "Bearer $key", "the list of $key");
}

# Relayed

$reply = $gw->client->get('/relayed/v1/models');
is(ids($reply), 'gpt-4o gpt-5 other gpt mini', 'relayed as it is');
$reply = $gw->client->get('/nameless/v1/models');
is(ids($reply), 's-1', 'so is it where the configuration names no model');
$up->clear;
$gw->client->request('DELETE', '/own/v1/models/best', undef);
is($up->last_request('one')->{method}, 'DELETE', 'DELETE is relayed');

# Wrong values

for my $case (
    ['ai_proxy_models sometimes;', qr/invalid value "sometimes"/],
    ['ai_proxy_models merged often;', qr/invalid parameter "often"/],
    ['ai_proxy_models merged valid=0;', qr/invalid parameter "valid=0"/],
    ['ai_proxy_models relayed valid=5m;', qr/invalid parameter "valid=5m"/],
    ["ai_proxy_models merged;\nai_proxy_models relayed;", qr/is duplicate/],
) {
    my ($line, $says) = @$case;
    my $bad = Gateway->new(http => "ai_proxy_provider p { type mock; }\n",
        server => "$line\nlocation / { ai_proxy_pass p; }\n");
    my ($status, $told) = $bad->check;
    isnt($status, 0, "$line fails the check");
    like($told, $says, 'and says why');
    like($told, qr/nginx\.conf:\d+/, 'with its line');
}

done($gw, $up);

#!/usr/bin/perl

# Model names: exact, longest prefix, regex in order, default; at location,
# route and provider; fixed model of a target; which route serves a model.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(a => { json => chat_answer('a') },
    b => { json => chat_answer('b') });

my $gw = Gateway->start(
    http => zone()
        . provider(a => openai => $up->url('a'),
            'model_map exact exact-target;',
            'model_map gpt-3-* short;',
            'model_map gpt-3-turbo-* long;',
            'model_map "~^re-(\w+)-(\d+)$" regex-$2-$1;',
            'model_map ~^re- second-regex;',
            'model_map same "";',
            'model_map * default-target;')
        . provider(b => openai => $up->url('b'))
        . <<'EOF',
ai_proxy_route r1 {
    match gpt-* exact;
    provider a;
}
ai_proxy_route r2 {
    match claude-*;
    model_map claude-old claude-new;
    provider b;
}
ai_proxy_route fixed {
    provider a model=pinned;
}
log_format models '$ai_proxy_request_model $ai_proxy_model $ai_proxy_route '
                  '$ai_proxy_provider';
EOF
    access_log => '',
    server => <<'EOF');
access_log %%DIR%%/logs/access.log models;
location /a/ { ai_proxy_pass a; }
location /b/ { ai_proxy_pass b; }
location /mapped/ {
    ai_proxy_pass a;
    ai_proxy_model_map mine exact;
    ai_proxy_model_map "your-*" gpt-3-turbo-x;
}
location /routes/ { ai_proxy_pass r1 r2; }
location /routed/ { ai_proxy_pass r1 r2; ai_proxy_model_map alias claude-old; }
location /fixed/ { ai_proxy_pass fixed; }
EOF

sub sent {
    my ($location, $model, $name) = @_;
    $up->clear;
    my $reply = $gw->client->post("/$location/v1/chat/completions",
        chat_body(model => $model));
    return "status $reply->{status}" if $reply->{status} != 200;
    my $request = $up->last_request($name // 'a') or return 'no request';
    return decode($request->{body})->{model};
}

is(sent('a', 'exact'), 'exact-target', 'exact');
is(sent('a', 'gpt-3-x'), 'short', 'prefix');
is(sent('a', 'gpt-3-turbo-16k'), 'long', 'the longest prefix');
is(sent('a', 're-abc-42'), 'regex-42-abc', 'regex with captures');
is(sent('a', 're-else'), 'second-regexelse',
    'the next regex, which replaces what it matched');
is(sent('a', 'same'), 'same', 'an empty target keeps the name');
is(sent('a', 'anything'), 'default-target', 'the default');
is(sent('b', 'anything', 'b'), 'anything', 'no map keeps the name');

is(sent('mapped', 'mine'), 'exact-target', 'location, then provider');
is(sent('mapped', 'your-x'), 'long', 'prefix at the location');

is(sent('routes', 'gpt-3-x', 'a'), 'short', 'the first route by its match');
is(sent('routes', 'exact', 'a'), 'exact-target', 'a literal match');
is(sent('routes', 'claude-old', 'b'), 'claude-new', 'the second, and its map');
is(sent('routed', 'alias', 'b'), 'claude-new',
    'the location maps before the route is chosen');

is(sent('fixed', 'anything'), 'pinned', 'model= of a target wins');

my $reply = $gw->client->post('/routes/v1/chat/completions',
    chat_body(model => 'nobody-serves'));
check_error($reply, 404, qr/nobody-serves/, 'no route: 404 names the model');
is(Client::json($reply)->{error}{code}, 'model_not_found', 'with the code');

# A model that is missing: an error, unless something gives one.

$reply = $gw->client->post('/routes/v1/chat/completions',
    encode({ messages => [{ role => 'user', content => 'x' }] }));
ok($reply->{status} == 400 || $reply->{status} == 404,
    'no model and no route for none');

my @lines = $gw->log_lines('access.log', 17);
is((grep { /^your-x / } @lines)[0], 'your-x long a a',
    'the log has the name asked for and the name sent');
is((grep { /^alias / } @lines)[0], 'alias claude-new r2 b',
    'and the route');

done($gw, $up);

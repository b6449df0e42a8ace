#!/usr/bin/perl

# A provider that is an internal location with the operator's own proxy_pass.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('by location') },
    stream => { events => stream_events('one two three') },
    gate => { events => stream_events('one two three'), gate => 1 },
    claude => { events => claude_events('one two three') },
    claude_plain => { json => claude_answer('by location') },
    broken => { status => 500, json => { error => { message => 'boom' } } },
    limited => { status => 429, headers => [['Retry-After', '9']],
        json => { error => { message => 'slow down', type => 't',
        param => undef, code => undef } } },
    cut => { events => stream_events('one two three'), cut => 2 },
    stall => { fail => 'stall' },
    native => { json => chat_answer('native') },
);
my @names = qw(plain stream gate claude claude_plain broken limited cut
    stall);
my $locations = join '', map { <<"EOF" } @names;
location /$_/ { ai_proxy_pass $_; }
location /internal/$_ {
    internal;
    proxy_pass http://127.0.0.1:$up->{port}/x-$_\$ai_proxy_upstream_uri;
}
EOF
# proxy_pass with the operator's own path.
$locations =~ s/\$ai_proxy_upstream_uri/\/own\/path/g;
my $gw = Gateway->start(
    http => zone() . join('', map {
            provider($_ => (/^claude/ ? 'claude' : 'openai') => undef,
                "location /internal/$_;", 'model_map * mapped;',
                "api_token sk-secret-$_;", 'key_cooldown off;')
        } @names)
        . provider(refused => openai => undef, 'location /internal/refused;')
        . provider(native => openai => $up->url('native'))
        . "ai_proxy_route chain {\n provider broken;\n fallback refused;\n"
        . " fallback limited;\n fallback stall;\n fallback plain;\n}\n"
        . "ai_proxy_route mixed {\n provider broken;\n fallback native;\n}\n"
        . "ai_proxy_route stream_chain {\n provider broken;\n"
        . " fallback claude;\n}\n"
        . "log_format t '\$upstream_status|\$ai_proxy_tries';\n",
    access_log => '',
    server => <<"EOF");
access_log %%DIR%%/logs/access.log t;
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header X-Operator yes;
proxy_read_timeout 400ms;
proxy_buffering off;
location /chain/ { ai_proxy_pass chain; }
location /mixed/ { ai_proxy_pass mixed; }
location /stream_chain/ { ai_proxy_pass stream_chain; }
location /internal/refused { internal; proxy_pass http://127.0.0.1:1; }
$locations
EOF

sub chat {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions",
        chat_body(%fields), headers => { Authorization => 'Bearer client',
            Cookie => 'private=1' });
}
my %stream = (stream => JSON::PP::true);

my $reply = chat('plain');
is($reply->{status}, 200, 'a plain request');
is(Client::text($reply), 'by location', 'is answered');
ok($reply->{complete}, 'whole');
my $seen = $up->last_request('plain');
is($seen->{path}, '/own/path', "by the operator's path");
is(Upstream::header($seen, 'X-Operator'), 'yes', "with the operator's fields");
is(decode($seen->{body})->{model}, 'mapped', 'and our model');
isnt(Upstream::header($seen, 'Authorization') // '', 'Bearer client',
    "the client's key does not go on");
is(Upstream::header($seen, 'Cookie'), undef, 'nor a cookie');

check_stream(chat('stream', %stream), 'one two three', 'a stream');
check_stream(chat('claude', %stream), 'one two three', 'a converted stream');
is(Client::text(chat('claude_plain')), 'by location', 'a converted answer');

my $client = $gw->client->send('POST', '/gate/v1/chat/completions',
    chat_body(%stream));
$reply = $client->wait(sub { $_[0]{body} =~ /one/ }, 20);
like($reply->{body}, qr/one/, 'an event leaves when it came');
$up->open_gate('gate');
check_stream($client->finish, 'one two three', 'and the rest follows');

check_error(chat('broken'), 500, qr/boom/, 'an error of the provider');
$reply = chat('limited');
check_error($reply, 429, qr/slow down/, 'a 429');
is(Client::header($reply, 'Retry-After'), '9', 'with Retry-After');

$reply = chat('cut', %stream);
is(scalar(grep { ref && $_->{error} } Client::events($reply)), 1,
    'a cut stream: one error event');
unlike($reply->{body}, qr/\[DONE\]/, 'no end');

$reply = chat('chain');
is(Client::text($reply), 'by location', 'a chain of locations');
my $line;
$gw->until(sub { ($line) = grep { /refused:/ } $gw->log_lines('access.log') });
my ($statuses, $tries) = split /\|/, $line;
is($statuses, '500, 502, 429, 504, 200', 'each try has its status');
is(join(' ', map { s/:[\d.]+$//r } split /, /, $tries),
    'broken:0:500 refused:0:upstream_connect limited:0:429 '
    . 'stall:0:timeout_first_byte plain:0:200', 'and its entry');

is(Client::text(chat('mixed')), 'native', 'a location, then a native try');
check_stream(chat('stream_chain', %stream), 'one two three',
    'a stream after a failed location');

$client = $gw->client->send('POST', '/stall/v1/chat/completions', chat_body());
$gw->until(sub { $up->last_request('stall')
    && $up->last_request('stall')->{outcome} eq 'running' });
$client->close;
is($up->wait_outcome('stall', 'client_closed')->{outcome}, 'client_closed',
    'a client that leaves frees the provider');

is($gw->client->post('/internal/plain', chat_body())->{status}, 404,
    'the location stays internal');

done($gw, $up);

#!/usr/bin/perl

# Names of providers: found after the start, asked for again when they expire,
# kept when the name server fails; requests wait for the first answer.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use NameServer;
use Test::More;

needs_module();

my $host = 'provider.ai-proxy.test';
my $up = Upstream->start(named => { json => chat_answer('by name') },
    spare => { json => chat_answer('spare') });
my $dns = NameServer->start('drop');
my $url = $up->url('named') =~ s/127\.0\.0\.1/$host/r;
my $gw = Gateway->start(
    http => zone() . 'resolver ' . $dns->address . " valid=1s ipv6=off;\n"
        . "resolver_timeout 1500ms;\n"
        . provider(named => openai => $url, 'timeout connect=5s;')
        . provider(spare => openai => $up->url('spare')),
    server => <<'EOF');
    location /named/ { ai_proxy_pass named; }
    location /either/ { ai_proxy_pass named; ai_proxy_fallback spare; }
EOF

sub chat { return $gw->client->post("/$_[0]/v1/chat/completions", chat_body()) }

like(Gateway::slurp("$gw->{dir}/logs/stderr"),
    qr/"\Q$host\E" is not known at start, workers will ask the resolver/,
    'a name that is unknown at the start is no error with a resolver');
ok($gw->until(sub { grep { $_ eq $host } $dns->queries }),
    'the name is asked for');

my $error = check_error(chat('named'), 502, undef, 'no name server');
is($error->{code}, 'upstream_connect', 'its code');
is(Client::text(chat('either')), 'spare', 'the fallback answers meanwhile');

# Requests wait for the answer to a query.

$dns->answer('hold');
my $asked = () = $dns->queries;
ok($gw->until(sub { $dns->queries > $asked }), 'the name is asked for again');
my @clients = map { $gw->client } 1 .. 3;
$_->send(POST => '/named/v1/chat/completions', chat_body()) for @clients;
$clients[2]->close;
$dns->answer("127.0.0.1 1\n");
is(Client::text($_->finish), 'by name', 'a request that waited is answered')
    for @clients[0, 1];
like($gw->error_log, qr/"\Q$host\E" is resolved again/, 'the log says so');
my @loud = $gw->error_log =~ /\[(?:error|warn)\][^\n]*could not be resolved/g;
is(scalar @loud, 1, 'repeated failures are one line');

# It is asked for again when it expires, and kept when that fails.

my $before = () = $dns->queries;
ok($gw->until(sub { $dns->queries > $before + 1 }),
    'the name is asked for when its time is over');
$dns->answer('nxdomain');
ok($gw->until(sub { $gw->error_log =~ /keeping its addresses/ }),
    'a failing name server is logged');
is(Client::text(chat('named')), 'by name', 'the known address still serves');

done($gw, $up, $dns);

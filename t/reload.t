#!/usr/bin/perl

# Reload and binary upgrade while 50 streams run: none is cut, none is wrong,
# new requests get the new configuration.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $words = join ' ', map { "w$_" } 1 .. 40;
my $up = Upstream->start(
    openai => { events => stream_events($words), pace => 0.05 },
    claude => { events => claude_events($words), pace => 0.05 },
    old => { json => chat_answer('old') },
    new => { json => chat_answer('new') },
    broken_once => [{ status => 503, json => { error => { message => 'x' } } },
        { json => chat_answer('second try') }],
    retry => { json => chat_answer('x') },
);

sub config {
    my ($which) = @_;
    return (
        workers => 2,
        daemon => 1,
        http => zone()
            . provider(openai => openai => $up->url('openai'))
            . provider(claude => claude => $up->url('claude'))
            . provider(which => openai => $up->url($which))
            . provider(broken_once => openai => $up->url('broken_once'))
            . "ai_proxy_route retry {\n provider broken_once;\n"
            . " retry 1 backoff=800ms..800ms;\n}\n",
        server => <<'EOF',
location /openai/ { ai_proxy_pass openai; }
location /claude/ { ai_proxy_pass claude; }
location /which/ { ai_proxy_pass which; }
location /retry/ { ai_proxy_pass retry; }
location = /mock/v1/chat/completions { ai_proxy_pass which; }
EOF
    );
}
my $gw = Gateway->start(config('old'));
my $chat = '/v1/chat/completions';

sub streams {
    my ($n) = @_;
    my @clients = map { $gw->client->send('POST',
        ($_ % 2 ? '/openai' : '/claude') . $chat,
        chat_body(stream => JSON::PP::true)) } 1 .. $n;
    for my $client (@clients) {
        $client->wait(sub { $_[0]{body} =~ /w1 / }, 10);
    }
    return @clients;
}

sub check_all {
    my ($name, @clients) = @_;
    my $good = 0;
    for my $reply (Client::finish_all(30, @clients)) {
        my @events = Client::events($reply);
        $good++ if $reply->{complete} && Client::text($reply) eq $words
            && @events && !ref $events[-1] && $events[-1] eq '[DONE]'
            && 1 == grep { !ref && $_ eq '[DONE]' } @events;
    }
    is($good, scalar @clients, "$name: all streams are whole and right");
}

is(Client::text($gw->client->post("/which$chat", chat_body())), 'old',
    'the old configuration');

# Reload.

my @old_workers = $gw->workers;
my @clients = streams(50);
my $waiting = $gw->client->send('POST', "/retry$chat", chat_body());
$gw->until(sub { $up->requests('broken_once') });
$gw->configure(config('new'));
ok($gw->reload, 'a reload starts new workers');
is(Client::text($gw->client->post("/which$chat", chat_body())), 'new',
    'new requests get the new configuration');
my @more = streams(4);
check_all('reload', @clients);
is(Client::text($waiting->finish), 'second try',
    'a request that waited between two tries is served');
ok($gw->until(sub {
    my %now = map { $_ => 1 } $gw->workers;
    !grep { $now{$_} } @old_workers;
}, 20), 'the old workers leave when their last stream is over');
check_all('after the reload', @more);

# A reload with a wrong configuration changes nothing.

$gw->configure(http => 'ai_proxy_nonsense;');
$gw->{allowed} = [qr/unknown directive "ai_proxy_nonsense"/];
$gw->signal('HUP');
$gw->until(sub { $gw->error_log =~ /ai_proxy_nonsense/ });
is(Client::text($gw->client->post("/which$chat", chat_body())), 'new',
    'a wrong configuration is not taken');
$gw->configure(config('new'));

# Binary upgrade: a new master beside the old one, then the old one quits.

@clients = streams(50);
my $old = $gw->master;
$gw->signal('USR2');
ok($gw->until(sub { -s "$gw->{dir}/nginx.pid.oldbin"
    && $gw->master && $gw->master != $old }), 'a new master starts');
my $new = $gw->master;
$gw->{upgraded} = $new;
kill 'QUIT', $old;
select undef, undef, undef, 0.3;
is(Client::text($gw->client->post("/which$chat", chat_body())), 'new',
    'the new binary serves');
check_all('binary upgrade', @clients);
ok($gw->until(sub { !Gateway::alive($old) }, 20),
    'the old master leaves when its last stream is over');
delete $gw->{pid};
is(Client::text($gw->client->post("/which$chat", chat_body())), 'new',
    'and the new one goes on');

# A graceful stop waits for streams, too.

@clients = streams(10);
kill 'QUIT', $new;
check_all('graceful stop', @clients);
@clients = ();
ok($gw->until(sub { !Gateway::alive($new) }, 20),
    'the master leaves when the last stream is over');

done($gw, $up);

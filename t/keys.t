#!/usr/bin/perl

# Keys that a provider refuses leave their pool: other keys and providers serve,
# all workers know, a reload does not forget, and they come back.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my ($good, $full, $wrong) = map { "sk-secret-key-of-pool-$_" }
    qw(good full wrong);
my $busy = { status => 429, headers => [['Retry-After', '600']],
    json => { error => { message => 'slow down' } } };
my $bad = { status => 401, json => { error => { message => 'bad key' } } };
my $up = Upstream->start(
    pool => { by_key => { $good => { json => chat_answer('good') },
        $full => $busy, $wrong => $bad } },
    alone => $busy,
    short => { by_key => { $good => { json => chat_answer('good') },
        $full => { %$busy, headers => [] } } },
    spare => { json => chat_answer('spare') },
);
my $gw = Gateway->start(workers => 2,
    http => zone()
        . provider(pool => openai => $up->url('pool'),
            map { "api_token $_;" } $full, $wrong, $good)
        . provider(alone => openai => $up->url('alone'), "api_token $full;")
        . provider(short => openai => $up->url('short'), "api_token $full;",
            "api_token $good;", 'key_cooldown 100ms..200ms;',
            'key_select least_used;')
        . "ai_proxy_provider own {\n type openai;\n base_url "
        . $up->url('pool') . ";\n}\n"
        . provider(spare => openai => $up->url('spare')),
    server => <<'EOF');
    location /pool/ { ai_proxy_pass pool; }
    location /own/ { ai_proxy_pass own; ai_proxy_fallback spare on=5xx; }
    location /alone/ { ai_proxy_pass alone; }
    location /either/ { ai_proxy_pass alone; ai_proxy_fallback spare; }
    location /short/ { ai_proxy_pass short; }
    location = /status { ai_proxy_status; }
    location = /metrics { ai_proxy_metrics; }
EOF

sub chat { return $gw->client->post("/$_[0]/v1/chat/completions", chat_body()) }
sub used {
    my ($name) = @_;
    my %keys;
    $keys{ Upstream::header($_, 'Authorization') =~ s/^Bearer //r }++
        for $up->requests($name);
    return \%keys;
}
sub state_of {
    my ($provider, $ends) = @_;
    my ($row) = grep { $_->{provider} eq $provider && $_->{ends} eq $ends }
        @{ decode($gw->client->get('/status')->{body})->{keys} };
    return $row;
}

# Without "retry": another key is no retry.

my @said = map { Client::text(chat('pool')) } 1 .. 40;
is(scalar(grep { $_ eq 'good' } @said), 40,
    'every request is answered, whatever key it began with');
my $seen = used('pool');
is($seen->{$good}, 40, 'by the good key');
cmp_ok($seen->{$full}, '<=', 2, 'the others are hardly asked')
    or diag explain $seen;
cmp_ok($seen->{$wrong}, '<=', 2, 'neither');

my $row = state_of('pool', 'full');
ok(!$row->{available}, 'the status knows that the full one is away');
is($row->{last_status}, 429, 'and why');
cmp_ok($row->{seconds_away}, '>', 500, 'for as long as the provider said');
ok(state_of('pool', 'good')->{available}, 'the good one is there');
my $metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_key_available\{provider="pool",key="0"\} 0$/m,
    'the metrics know too');
like($metrics, qr/^ai_proxy_key_available\{provider="pool",key="2"\} 1$/m,
    'both');
unlike($metrics . $gw->client->get('/status')->{body}, qr/sk-secret/,
    'neither shows a key');

# A reload keeps it.

$up->clear;
ok($gw->reload, 'a reload');
chat('pool') for 1 .. 20;
is_deeply(used('pool'), { $good => 20 }, 'and nobody has forgotten');

# The only key of a provider: it serves when nobody else may.

is(chat('either')->{status}, 200, 'the first provider has a full key');
$up->clear;
is(Client::text(chat('either')), 'spare', 'the other answers');
is_deeply(used('alone'), {}, 'without asking the first one');
check_error(chat('alone'), 429, qr/slow down/,
    'alone, it is asked all the same');
is(used('alone')->{$full}, 1, 'once');

# A client's own key is its own affair.

for (1 .. 3) {
    my $reply = $gw->client->post('/own/v1/chat/completions', chat_body(),
        headers => { Authorization => "Bearer $wrong" });
    is($reply->{status}, 401, 'a client with a wrong key');
}
is(Client::text($gw->client->post('/own/v1/chat/completions', chat_body(),
    headers => { Authorization => "Bearer $good" })), 'good',
    'takes nothing from the others');

# It comes back.

my $back = $gw->until(sub {
    chat('short');
    (used('short')->{$full} // 0) >= 3;
});
ok($back, 'after its time a key is tried again');

done($gw, $up);

package Faults;

# The upstream of faults.py, and the matrix: every fault, asked for in every
# way, against every arrangement of providers.

use strict;
use warnings;

use Exporter qw(import);
use IPC::Open2 qw(open2);
use JSON::PP ();
use Test::More;

use AiProxyTest;
use Client;
use Gateway;
use Upstream;

our @EXPORT = qw(run_matrix open_files settled);

use constant { TEXT => 'one two three', OTHER => 'somebody else' };

# -- the process -----------------------------------------------------------

# tls => 1 opens the ports of TLS.
sub start {
    my ($class, %args) = @_;
    my $self = bless { owner => $$ }, $class;
    my @command = ($ENV{PYTHON} // 'python3', '-B', '-W', 'ignore',
        Upstream::folder() . '/faults.py');
    if ($args{tls}) {
        $self->{certificates} = Upstream::certificates('expired', 'self');
        push @command, '--certificates', $self->{certificates};
    }
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    $self->{pid} = open2($self->{from}, $self->{to}, @command);
    $self->{ports} = decode(readline($self->{from}) // '')
        // die "the upstream did not start\n";
    # Bound, but nobody listens.
    $self->{refusing} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Proto => 'tcp') or die $!;
    $self->{ports}{refused} = $self->{refusing}->sockport;
    return $self;
}

sub url {
    my ($self, $fault, $port) = @_;
    $port //= 'plain';
    my $scheme = $port =~ /^tls/ ? 'https://localhost' : 'http://127.0.0.1';
    return "$scheme:$self->{ports}{$port}/f/$fault";
}

sub log {
    my ($self) = @_;
    return Client::json(Client->new(port => $self->{ports}{plain})
        ->get('/-/log'));
}

# Connections to it that are open.
sub open { return $_[0]->log->{open} }

sub stop {
    my ($self) = @_;
    return unless $self->{pid} && $self->{owner} == $$;
    close $self->{to};
    kill 'KILL', $self->{pid};
    local $?;
    waitpid delete $self->{pid}, 0;
}

sub DESTROY { $_[0]->stop }

# -- what is expected ------------------------------------------------------

# Status and type of each code, from the reference.
my %MEANS = (
    (map { $_ => [502, 'api_error'] } qw(upstream_unavailable upstream_connect
        upstream_tls upstream_closed upstream_invalid upstream_truncated
        upstream_too_large upstream_error)),
    (map { $_ => [504, 'timeout_error'] } qw(timeout_connect
        timeout_tls timeout_first_byte timeout_first_token timeout_idle
        timeout_total)),
);

# An expectation in words:
#   ok           the whole answer
#   CODE         an error of the gateway with this code
#   +CODE        a stream that began, then one error event with this code
#   NNN          the provider's own status
# as a hash; a code may be an own status behind a slash (upstream_error/429).
sub expectation {
    my ($words) = @_;
    my %e = (words => $words);
    return { %e, ok => 1 } if $words eq 'ok';
    return { %e, code => 'upstream_status', status => $words, own => 1 }
        if $words =~ /^\d+$/;
    $e{begun} = $words =~ s/^\+//;
    ($e{code}, my $status) = split m{/}, $words;
    $e{own} = $e{code} =~ /^upstream_(?:error|status)$/;
    $e{status} = $e{begun} ? 200 : $status // ($MEANS{ $e{code} }
        // die "no such code: $e{code}")->[0];
    $e{type} = $MEANS{ $e{code} }[1] unless $e{own};
    # What a rule about statuses sees.
    $e{said} = $status // ($e{code} eq 'upstream_status' ? $e{status} : undef);
    return \%e;
}

my %RETRIED = map { $_ => 1 } 408, 409, 429;

# Does a failure lead to another provider by default?
sub falls_back {
    my ($e) = @_;
    return 0 if $e->{ok} || $e->{begun};
    my $status = $e->{said} // ($e->{code} eq 'upstream_status'
        ? $e->{status} : undef);
    return 1 unless defined $status;
    return $status >= 500 || $RETRIED{$status} ? 1 : 0;
}

# And to another key?
sub is_of_key {
    my ($e) = @_;
    return !$e->{ok} && !$e->{begun}
        && ($e->{said} // $e->{status}) =~ /^(?:40[123]|429)$/ ? 1 : 0;
}

# And to another try of the same?
sub is_retried {
    my ($e) = @_;
    return falls_back($e) && $e->{code} ne 'upstream_too_large' ? 1 : 0;
}

# -- the matrix ------------------------------------------------------------

# Who asks whom: dialect of the client, type of the provider.
my %KINDS = (
    openai => { dialect => 'openai', type => 'openai' },
    claude => { dialect => 'openai', type => 'claude' },
    messages => { dialect => 'messages', type => 'claude' },
    to_openai => { dialect => 'messages', type => 'openai' },
);

# Arrangements: route(provider) is the block that ai_proxy_pass names; cured says
# whether the client gets an answer all the same, and which; by, from whom, if
# it is another one; code, as what the failed try counts then.
my %COLUMNS = (
    single => { cured => sub { 0 } },
    fallback => {
        route => sub { "provider $_[0]; fallback other;" },
        cured => sub { falls_back($_[0]) ? OTHER : 0 },
        by => 'other',
    },
    # The second try comes while the first one waits, or never.
    hedge => {
        route => sub { "provider $_[0]; provider other tier=2;"
            . ' hedge after=100ms budget=100%;' },
        cured => sub { OTHER },
        by => 'other',
        code => 'superseded',
    },
    no_hedge => {
        route => sub { "provider $_[0]; provider other tier=2;"
            . ' hedge after=30s budget=100%;' },
        cured => sub { falls_back($_[0]) ? OTHER : 0 },
        by => 'other',
    },
    retry => {
        once => 1,
        route => sub { "provider $_[0]; retry 1 backoff=1ms..2ms;" },
        cured => sub { is_retried($_[0]) ? TEXT : 0 },
    },
    # Whichever key comes first fails: a refusal of the key is another's turn,
    # anything else is none of its fault.
    keys => {
        once => 1,
        lines => ['api_token sk-key-of-pool-one;',
            'api_token sk-key-of-pool-two;'],
        cured => sub { is_of_key($_[0]) ? TEXT : 0 },
        other_key => 1,
    },
);

# run_matrix(faults => [[NAME => PLAIN, STREAM, more], ...]): the fault by the
# name that faults.py has for it, then what is expected in words, of a plain
# request and of a stream.  More: lines of the provider block; port; one hash
# of other expectations by kind (claude => [PLAIN, STREAM]).
sub run_matrix {
    my (%args) = @_;
    my $up = Faults->start(tls => $args{tls});
    my @cases = cases($up, %args);
    my $gw = gateway($up, \@cases, $args{http} // '');
    # The first requests leave things behind that stay.
    ask($gw, { url => '/warm/', kind => $KINDS{openai} }, 'warm')->finish;
    my $before = settled($gw, $up);

    my $late = 0;
    my @waiting = @cases;
    while (my @batch = splice @waiting, 0, $args{tls} ? 50 : 150) {
        $_->{client} = ask($gw, $_, $_->{name}) for @batch;
        $late += grep { !$_->{complete} && !$_->{closed} }
            Client::finish_all(60, map { $_->{client} } @batch);
        $_->{client}->close for @batch;
    }
    is($late, 0, 'nothing hangs');
    my %line = map { (split /\|/)[0] => $_ }
        $gw->log_lines('access.log', 1 + @cases, 10);
    check_case($_, $line{ $_->{name} } // '') for @cases;
    check_counters($gw, \@cases);
    check_warnings($gw, \@cases);
    check_left($gw, $up, $before);
    $gw->stop;
    $up->stop;
}

sub cases {
    my ($up, %args) = @_;
    my @cases;
    for my $fault (@{ $args{faults} }) {
        my ($name, $plain, $stream, @more) = @$fault;
        my %special = map { %$_ } grep { ref } @more;
        my $port = delete $special{port};
        my $lasting = $port && $port ne 'tls_good';
        my @lines = grep { !ref } @more;
        push @lines, 'ssl_trusted_certificate '
            . "$up->{certificates}/ca.crt;" if $port && $port =~ /^tls/;
        for my $kind (@{ $args{kinds} // [qw(openai claude messages)] }) {
            my $expected = $special{$kind} // [$plain, $stream];
            for my $mode (0, 1) {
                next unless defined $expected->[$mode];
                for my $column (@{ $args{columns}
                    // [qw(single fallback retry)] })
                {
                    push @cases, { fault => $name, lines => \@lines,
                        port => $port, kind => $KINDS{$kind},
                        lasting => $lasting,
                        stream => $mode, column => $COLUMNS{$column},
                        expected => expectation($expected->[$mode]),
                        id => "$name $kind "
                            . ($mode ? 'stream' : 'plain') . " $column",
                    };
                }
            }
        }
    }
    for my $case (@cases) {
        $case->{name} = $case->{id} =~ s/\W/_/gr;
        $case->{url} = "/$case->{name}/";
        # Only the retry needs a provider that remembers the request.
        $case->{provider} = $case->{column}{once} ? "once_$case->{name}"
            : "$case->{fault} $case->{kind}{type}" =~ s/\W/_/gr;
        $case->{route} = $case->{column}{route}
            ? "r_$case->{name}" : $case->{provider};
    }
    return @cases;
}

sub gateway {
    my ($up, $cases, $http) = @_;
    my (%provider, %route);
    for my $case (@$cases) {
        my $name = $case->{provider};
        my $once = $case->{column}{once};
        my $fault = $case->{fault} . ($once ? ",once-$case->{name}" : '');
        # Kept connections must not give one request the rest of another's.
        $provider{$name} //= provider($name => $case->{kind}{type} =>
            $up->url($fault, $case->{port}),
            @{ $case->{column}{lines} // ['key_cooldown off;'] }, $once ? () : 'keepalive 0;', @{ $case->{lines} });
        $route{ $case->{route} } //= "ai_proxy_route $case->{route} {\n    "
            . $case->{column}{route}->($name) . "\n}\n"
            if $case->{column}{route};
    }
    return Gateway->start(
        http => "ai_proxy_zone ai 8m;\n" . $http
            . "log_format case '\$http_x_case|\$status|\$ai_proxy_error|"
            . "\$ai_proxy_provider|\$ai_proxy_finish_reason|"
            . "\$ai_proxy_tries';\n"
            . provider(other => openai => $up->url('other'), 'keepalive 0;')
            . provider(warm => openai => $up->url('ok'), 'keepalive 0;')
            . join('', map { $provider{$_} } sort keys %provider)
            . join('', map { $route{$_} } sort keys %route),
        access_log => '',
        server => "access_log %%DIR%%/logs/access.log case;\n"
            . "keepalive_timeout 0;\n"
            . "location = /metrics { access_log off; ai_proxy_metrics; }\n"
            . "location /warm/ { ai_proxy_pass warm; }\n"
            . join('', map { "location $_->{url} { ai_proxy_pass "
                . "$_->{route}; }\n" } @$cases));
}

sub ask {
    my ($gw, $case, $name) = @_;
    my $messages = $case->{kind}{dialect} eq 'messages';
    my $body = chat_body($messages ? (max_tokens => 100) : (),
        $case->{stream} ? (stream => JSON::PP::true) : ());
    return $gw->client->send('POST', $case->{url}
        . ($messages ? 'v1/messages' : 'v1/chat/completions'), $body,
        headers => { 'X-Case' => $name });
}

# Descriptors of the worker.
sub open_files {
    my ($gw) = @_;
    my ($worker) = $gw->workers;
    opendir my $dir, "/proc/$worker/fd" or die $!;
    return scalar grep { /^\d/ } readdir $dir;
}

# The descriptors of a worker that has nothing to do.
sub settled {
    my ($gw, $up) = @_;
    my $files = -1;
    $gw->until(sub {
        my $last = $files;
        $files = open_files($gw);
        $up->open == 0 && $files == $last;
    });
    return $files;
}

# -- what is checked -------------------------------------------------------

# (text, finished, error events, anything wrong with the form)
sub read_stream {
    my ($case, $reply) = @_;
    my @events = Client::events($reply);
    if ($case->{kind}{dialect} eq 'openai') {
        my @done = grep { !ref && $_ eq '[DONE]' } @events;
        my @finish = grep { ref && ref $_->{choices} eq 'ARRAY'
            && @{ $_->{choices} } && $_->{choices}[0]{finish_reason} } @events;
        return (Client::text($reply), scalar @done, scalar @finish,
            map { $_->{error} } grep { ref && $_->{error} } @events);
    }
    my $text = join '', map { $_->{delta}{text} // '' }
        grep { ref && ($_->{type} // '') eq 'content_block_delta' } @events;
    my $count = sub { my ($t) = @_;
        scalar grep { ref && ($_->{type} // '') eq $t } @events };
    return ($text, $count->('message_stop'), $count->('message_delta'),
        map { $_->{error} } grep { ref && ($_->{type} // '') eq 'error' }
            @events);
}

sub plain_text {
    my ($case, $reply) = @_;
    return Client::text($reply) if $case->{kind}{dialect} eq 'openai';
    my $body = Client::json($reply) or return undef;
    return join '', map { $_->{text} // '' } @{ $body->{content} // [] };
}

sub wrong_answer {
    my ($case, $reply, $text) = @_;
    my @wrong;
    push @wrong, 'status ' . ($reply->{status} // 'none')
        if ($reply->{status} // 0) != 200;
    my ($got, $done, $finish, @errors) = $case->{stream}
        ? read_stream($case, $reply) : (plain_text($case, $reply), 1, 1);
    push @wrong, 'text "' . ($got // '') . '"' if ($got // '') ne $text;
    push @wrong, "ended $done times" if $done != 1;
    push @wrong, "$finish finish reasons" if $finish != 1;
    push @wrong, 'an error event' if @errors;
    return @wrong;
}

sub wrong_error {
    my ($case, $reply) = @_;
    my $e = $case->{expected};
    my @wrong;
    push @wrong, 'status ' . ($reply->{status} // 'none')
        . " not $e->{status}" if ($reply->{status} // 0) != $e->{status};
    push @wrong, 'content type ' . (Client::header($reply, 'Content-Type')
        // 'none') if (Client::header($reply, 'Content-Type') // '')
            !~ m{^application/json};
    my $body = Client::json($reply);
    my $error = ref $body eq 'HASH' ? $body->{error} : undef;
    return (@wrong, 'no error in it') unless ref $error eq 'HASH';
    push @wrong, 'no message' unless ($error->{message} // '') =~ /\S/;
    if ($case->{kind}{dialect} eq 'messages') {
        push @wrong, 'no type of an error'
            unless ($body->{type} // '') eq 'error' && $error->{type};
        return @wrong;
    }
    push @wrong, "type $error->{type}"
        if $e->{type} && $error->{type} ne $e->{type};
    push @wrong, 'code ' . ($error->{code} // 'null')
        if !$e->{own} && ($error->{code} // '') ne $e->{code};
    return @wrong;
}

sub wrong_break {
    my ($case, $reply) = @_;
    my $e = $case->{expected};
    my ($text, $done, $finish, @errors) = read_stream($case, $reply);
    my @events = Client::events($reply);
    my @wrong;
    push @wrong, 'status ' . ($reply->{status} // 'none')
        if ($reply->{status} // 0) != 200;
    push @wrong, "text \"$text\"" if index(TEXT, $text) != 0 || $text eq '';
    push @wrong, 'it looks complete' if $done || $finish;
    push @wrong, map { "no line of an event: $_" }
        grep { !/^(?:(?:data|event|id|retry)?:.*)?\r?$/ }
        split /\n/, $reply->{body};
    push @wrong, @errors . ' error events' if @errors != 1;
    push @wrong, 'the error is not last' if @errors && (!ref $events[-1]
        || !$events[-1]{error});
    push @wrong, 'code ' . ($errors[0]{code} // 'null')
        if @errors && !$e->{own} && $case->{kind}{dialect} eq 'openai'
            && ($errors[0]{code} // '') ne $e->{code};
    return @wrong;
}

sub check_case {
    my ($case, $line) = @_;
    my $reply = $case->{client}{reply};
    my $e = $case->{expected};
    my $cured = $e->{ok} ? 0 : $case->{column}{cured}->($e);
    # A port that fails goes on to fail.
    my $again = $case->{lasting} && $case->{column}{once} && $cured;
    $cured = 0 if $again;
    $case->{why} = ($cured ? $case->{column}{code} : undef) // $e->{code};
    $case->{failed} = $e->{ok} ? 0 : $again ? 2 : 1;
    my @wrong = $e->{ok} ? wrong_answer($case, $reply, TEXT)
        : $cured ? wrong_answer($case, $reply, $cured)
        : $e->{begun} ? wrong_break($case, $reply)
        : wrong_error($case, $reply);
    push @wrong, 'the message is not complete' unless $reply->{complete};

    my (undef, $status, $error, $provider, $finish, $tries)
        = split /\|/, $line;
    $case->{code} = $cured || $e->{ok} ? '-' : $e->{code};
    $case->{last} = $cured && $case->{column}{by}
        ? $case->{column}{by} : $case->{provider};
    push @wrong, "log: $line" if ($error // '') ne $case->{code}
        || ($status // '') ne ($cured ? 200 : $e->{status} // 200)
        || ($provider // '') ne $case->{last}
        || (($finish // '') eq 'stop') != ($cured || $e->{ok} ? 1 : 0)
        || (split /, /, $tries // '')
            != $case->{failed} + ($cured || $e->{ok} ? 1 : 0);
    my %keys = map { (split /:/)[1] => 1 } split /, /, $tries // '';
    push @wrong, "not another key: $tries"
        if $cured && $case->{column}{other_key} && keys %keys != 2;
    ok(!@wrong, "$case->{id}: $e->{words}") or diag(join("\n", @wrong), "\n",
        substr $reply->{raw} // '', 0, 1200);
}

# Counters by cause, all of them and no other.
sub check_counters {
    my ($gw, $cases) = @_;
    my (%want, %got);
    for my $case (@$cases) {
        next if $case->{expected}{ok};
        $want{"failed_tries $case->{route} $case->{provider} "
            . $case->{why}} += $case->{failed};
        $want{"errors $case->{route} $case->{last} $case->{code}"}++
            if $case->{code} ne '-';
    }
    # The books close when the client has its answer already.
    $gw->until(sub {
        %got = ();
        my $text = $gw->client->get('/metrics')->{body};
        while ($text =~ /^ai_proxy_(errors|failed_tries)_total\{route="(\w+)",
            provider="(\w+)",model="\w+",cause="(\w+)"\}[ ](\d+)/mgx)
        {
            $got{"$1 $2 $3 $4"} += $5 if $5;
        }
        encode(\%got) eq encode(\%want);
    }, 20);
    same_counts(\%got, \%want, 'the counters by cause');
}

sub same_counts {
    my ($got, $want, $name) = @_;
    my %all = (%$got, %$want);
    my @wrong = map { "$_: " . ($got->{$_} // 0) . ' not '
        . ($want->{$_} // 0) } grep { ($got->{$_} // 0) != ($want->{$_} // 0) }
        sort keys %all;
    ok(!@wrong, $name) or diag(join "\n", @wrong);
}

# One warning for each failed try; to be slower than another one is no failure.
sub check_warnings {
    my ($gw, $cases) = @_;
    my (%want, %got);
    for my $case (grep { !$_->{expected}{ok} && $_->{why} ne 'superseded' }
        @$cases)
    {
        $want{"$case->{provider} $case->{why}"} += $case->{failed};
    }
    my $log = $gw->error_log;
    $got{"$1 $2"}++ while $log =~ /\[warn\].*? provider "(\w+)" failed: (\w+)/g;
    same_counts(\%got, \%want, 'the error log says why');
}

# Descriptors: what is open are connections that are kept.
sub check_left {
    my ($gw, $up, $before) = @_;
    my ($now, $open);
    $gw->until(sub {
        ($now, $open) = (open_files($gw), $up->open);
        $now == $before + $open;
    }, 20);
    is($now, $before + $open, 'no descriptor is left');
}

1;
